package dev.susul.client;

import static dev.susul.client.Subset.assertSubset;
import static dev.susul.client.Subset.isSubset;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.MessageOrBuilder;
import com.google.protobuf.util.JsonFormat;
import com.sun.net.httpserver.HttpServer;
import dev.susul.examples.Receive;
import dev.susul.v1.WatchEventsRequest;
import dev.susul.v1.WatchEventsResponse;
import io.grpc.Status;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Carries out clients/scenario.json; clients/README.md tells what its steps' members mean. */
class ScenarioTest {
    private static final Duration PATIENCE = Duration.ofSeconds(30);
    private static final Pattern PLACEHOLDER = Pattern.compile("\\$\\{(\\w+)}");

    private final BlockingQueue<CallbackRow> posted = new LinkedBlockingQueue<>();
    private final List<JsonElement> rows = new ArrayList<>();
    private final Map<String, String> saved = new HashMap<>();
    private final Map<String, Susul> clients = new HashMap<>();
    private HttpServer receiver;
    private EventWatch watch;

    @BeforeEach
    void connect() throws Exception {
        Environment.assume();
        receiver = Receive.receive(0, Environment.get("CALLBACK_USERNAME"), Environment.get("CALLBACK_SECRET"), posted::add);
        String address = Environment.get("GRPC");
        String app = Environment.get("APP");
        clients.put("app", Susul.connect(address).app(app, Environment.get("MASTER_SECRET")));
        clients.put("admin", Susul.connect(address).admin(Environment.get("ADMIN_TOKEN")));
        clients.put("stranger", Susul.connect(address).app(app, "somebody-elses-secret"));
        saved.put("app", app);
        saved.put("run", "java-" + UUID.randomUUID().toString().substring(0, 8));
        saved.put("callback_url", "http://127.0.0.1:" + receiver.getAddress().getPort() + "/susul/events");
    }

    @AfterEach
    void close() {
        clients.values().forEach(Susul::close);
        if (receiver != null) {
            receiver.stop(0);
        }
    }

    @TestFactory
    Stream<DynamicTest> scenario() throws Exception {
        String text = Files.readString(Path.of(Environment.get("SCENARIO")));
        JsonArray steps = JsonParser.parseString(text).getAsJsonObject().getAsJsonArray("steps");
        assertFalse(steps.isEmpty());
        return steps.asList().stream().map(JsonElement::getAsJsonObject).map(step -> dynamicTest(step.get("name").getAsString(),
                () -> assertTimeoutPreemptively(PATIENCE, () -> carryOut(filledIn(step).getAsJsonObject()))));
    }

    private void carryOut(JsonObject step) throws Exception {
        Susul client = clients.get(step.has("as") ? step.get("as").getAsString() : "app");
        JsonElement request = step.has("request") ? step.get("request") : new JsonObject();
        if (step.has("call") && step.has("error")) {
            String call = step.get("call").getAsString();
            check(assertThrows(SusulException.class, () -> call(client, call, request)), step.getAsJsonObject("error"));
        } else if (step.has("call")) {
            JsonElement answer = json((Message) call(client, step.get("call").getAsString(), request));
            assertSubset(answer, step.has("response") ? step.get("response") : new JsonObject());
            if (step.has("save")) {
                step.getAsJsonObject("save").asMap().forEach((name, path) -> save(answer, name, path.getAsString()));
            }
        } else if (step.has("list")) {
            String all = step.get("list").getAsString().replace("/List", "/All");
            List<JsonElement> found = new ArrayList<>();
            for (Object item : (Pages<?>) call(client, all, request)) {
                found.add(json((Message) item));
            }
            step.getAsJsonArray("items").forEach(wanted ->
                    assertTrue(found.stream().anyMatch(item -> isSubset(item, wanted)), wanted + " is not among " + found));
        } else if (step.has("watch")) {
            WatchEventsRequest.Builder which = WatchEventsRequest.newBuilder();
            JsonFormat.parser().merge(step.get("watch").toString(), which);
            watch = client.watchEvents(which.build());
            assertFalse(watch.next().getResumeToken().isEmpty());
        } else if (step.has("events")) {
            awaitEvents(new ArrayDeque<>(step.getAsJsonArray("events").asList()));
        } else if (step.has("rows")) {
            awaitRows(step.getAsJsonArray("rows").asList());
        } else {
            fail("the step says nothing to do");
        }
    }

    /** Calls the client's method that `Service/Method` names. */
    private static Object call(Susul client, String name, JsonElement request) throws Exception {
        String[] parts = name.split("/");
        Object service = switch (parts[0]) {
            case "PushService" -> client.pushes();
            case "CallbackService" -> client.callbacks();
            case "DeviceService" -> client.devices();
            case "RelayService" -> client.relay();
            case "ResendPolicyService" -> client.policies();
            default -> fail("there is no " + name);
        };
        String methodName = parts[1].substring(0, 1).toLowerCase(Locale.ROOT) + parts[1].substring(1);
        Method method = Arrays.stream(service.getClass().getMethods())
                .filter(each -> each.getName().equals(methodName))
                .findFirst()
                .orElseGet(() -> fail("there is no " + name));
        Message.Builder message = (Message.Builder) method.getParameterTypes()[0].getMethod("newBuilder").invoke(null);
        JsonFormat.parser().merge(request.toString(), message);
        try {
            return method.invoke(service, message.build());
        } catch (InvocationTargetException e) {
            throw e.getCause() instanceof SusulException failure ? failure : e;
        }
    }

    private static void check(SusulException error, JsonObject wanted) {
        assertEquals(Status.Code.valueOf(wanted.get("code").getAsString()), error.code(), error.getMessage());
        assertEquals(wanted.get("reason").getAsString(), error.reasonName());
        assertEquals("ERROR_REASON_" + error.reasonName(), error.reason().name());
        if (wanted.has("metadata")) {
            JsonObject metadata = new JsonObject();
            error.metadata().forEach(metadata::addProperty);
            assertSubset(metadata, wanted.get("metadata"));
        }
        if (wanted.has("fields")) {
            assertEquals(wanted.getAsJsonArray("fields").asList().stream().map(JsonElement::getAsString).sorted().toList(),
                    error.fieldViolations().stream().map(SusulException.FieldViolation::field).sorted().toList());
        }
    }

    private void awaitEvents(Deque<JsonElement> wanted) throws Exception {
        while (!wanted.isEmpty()) {
            WatchEventsResponse answer = watch.next();
            if (answer.hasEvent() && isSubset(json(answer.getEvent()), wanted.peek())) {
                wanted.remove();
            }
        }
        watch.close();
    }

    private void awaitRows(List<JsonElement> wanted) throws InterruptedException {
        while (!wanted.stream().allMatch(row -> rows.stream().anyMatch(came -> isSubset(came, row)))) {
            rows.add(JsonParser.parseString(posted.take().json()));
        }
    }

    private void save(JsonElement answer, String name, String path) {
        JsonElement found = answer;
        for (String member : path.split("\\.")) {
            found = found instanceof JsonObject object ? object.get(member) : null;
        }
        assertTrue(found instanceof JsonPrimitive value && !value.getAsString().isEmpty(), path + " is missing in " + answer);
        saved.put(name, found.getAsString());
    }

    /** Replaces ${…} in all strings. */
    private JsonElement filledIn(JsonElement value) {
        if (value instanceof JsonObject object) {
            JsonObject filled = new JsonObject();
            object.asMap().forEach((name, member) -> filled.add(name, filledIn(member)));
            return filled;
        }
        if (value instanceof JsonArray array) {
            JsonArray filled = new JsonArray();
            array.forEach(item -> filled.add(filledIn(item)));
            return filled;
        }
        if (value instanceof JsonPrimitive text && text.isString()) {
            return new JsonPrimitive(PLACEHOLDER.matcher(text.getAsString()).replaceAll(found -> {
                assertTrue(saved.containsKey(found.group(1)), "nothing was saved as " + found.group(1));
                return Matcher.quoteReplacement(saved.get(found.group(1)));
            }));
        }
        return value;
    }

    private static JsonElement json(MessageOrBuilder message) throws InvalidProtocolBufferException {
        return JsonParser.parseString(JsonFormat.printer().print(message));
    }
}
