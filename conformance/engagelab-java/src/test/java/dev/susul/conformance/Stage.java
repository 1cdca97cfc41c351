package dev.susul.conformance;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import feign.Feign;
import feign.auth.BasicAuthRequestInterceptor;
import feign.jackson.JacksonDecoder;
import feign.jackson.JacksonEncoder;
import io.github.engagelab.api.DeviceApi;
import io.github.engagelab.api.GroupPushApi;
import io.github.engagelab.api.PushApi;
import io.github.engagelab.api.ScheduleApi;
import io.github.engagelab.api.StatusApi;
import io.github.engagelab.codec.ApiErrorDecoder;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ExtensionContext.Namespace;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;

/** A sandbox and Susul in front of it, for the whole run, and the SDK's classes set up as for EngageLab but for the host. */
final class Stage implements ExtensionContext.Store.CloseableResource {
    /** The apps that Susul serves: one for each test class, so that none sees another's state. */
    static final List<String> APPS = List.of("pushes", "devices", "statuses", "schedules", "plans", "batches");

    /** An app that only EngageLab knows. */
    static final String UNSERVED = "unserved";

    /** The group of all apps. */
    static final String GROUP = "everyone";

    /** How many devices "all" means. */
    static final int POPULATION = 400;

    /** Writes as the SDK does: without what is null. */
    static final ObjectMapper JSON = new ObjectMapper().setSerializationInclusion(JsonInclude.Include.NON_NULL);

    final Recorder recorder = new Recorder();
    final Sandbox sandbox;
    private final Child engageLab;
    private final Child susul;
    private final String host;
    private final Path data;

    /** Hands the one stage to the constructors of test classes. */
    static final class Resolver implements ParameterResolver {
        @Override
        public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
            return parameter.getParameter().getType() == Stage.class;
        }

        @Override
        public Object resolveParameter(ParameterContext parameter, ExtensionContext context) {
            return context.getRoot().getStore(Namespace.create(Stage.class)).getOrComputeIfAbsent(Stage.class);
        }
    }

    Stage() throws IOException {
        Path directory = Files.createTempDirectory(Files.createDirectories(Path.of("target", "stage")), "run");
        String address = freeAddress();
        host = "http://" + address;
        data = directory.resolve("data");
        List<String> arguments = new ArrayList<>(List.of("--listen", "127.0.0.1:0", "--devices", String.valueOf(POPULATION),
                "--dead", "0.1", "--offline", "0", "--deliver-within", "1ms",
                "--display-rate", "0.7", "--display-within", "1ms", "--click-rate", "0.5", "--click-within", "1ms",
                "--callback", host + "/v1/apps/{app_key}/callbacks", "--callback-username", "conformance",
                "--callback-secret", secret("callbacks"), "--group", GROUP + ":" + secret(GROUP)));
        Stream.concat(APPS.stream(), Stream.of(UNSERVED))
                .forEach(app -> arguments.addAll(List.of("--app", app + ":" + secret(app))));
        engageLab = new Child(directory, "sandbox", arguments);
        sandbox = new Sandbox("http://" + engageLab.await("msg=\"sandbox is listening\" address=(\\S+)"));

        Path settings = directory.resolve("susul.yaml");
        JSON.writeValue(settings.toFile(), settings(address)); // JSON is YAML too
        susul = new Child(directory, "serve", List.of("--config", settings.toString()));
        URI readiness = URI.create("http://" + susul.await("\"msg\":\"listening\".*\"ops\":\"([^\"]+)\"") + "/readyz");
        HttpRequest question = HttpRequest.newBuilder(readiness).build();
        HttpClient web = HttpClient.newHttpClient();
        Eventually.get(() -> web.send(question, HttpResponse.BodyHandlers.discarding()).statusCode() == 200 ? true : null);
    }

    private Map<String, Object> settings(String address) {
        Map<String, String> anyPort = Map.of("listen", "127.0.0.1:0");
        List<Map<String, Object>> apps = APPS.stream().map(app -> Map.<String, Object>of(
                "app_key", app, "master_secret", secret(app), "base_url", sandbox.url,
                "callback", Map.of("username", "conformance", "secret", secret("callbacks")))).toList();
        return Map.of("data_dir", data.toString(), "grpc", anyPort, "ops", anyPort,
                "http", Map.of("listen", address), "public_url", host, "apps", apps,
                "groups", List.of(Map.of("group_key", GROUP, "master_secret", secret(GROUP), "base_url", sandbox.url)));
    }

    static String secret(String name) {
        return "the-secret-of-" + name;
    }

    /** Returns an address that nobody else will take: connections and port 0 use 127.0.0.1. */
    private static String freeAddress() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getByName("127.0.0.9"))) {
            return "127.0.0.9:" + socket.getLocalPort();
        }
    }

    /** Reads JSON. */
    static JsonNode json(String text) {
        try {
            return JSON.readTree(text);
        } catch (IOException e) {
            throw new IllegalArgumentException(e);
        }
    }

    PushApi pushes(String app) {
        return pushes(app, secret(app));
    }

    PushApi pushes(String app, String secret) {
        return new PushApi.Builder().setHost(host).setClient(recorder).setAppKey(app).setMasterSecret(secret).build();
    }

    DeviceApi devices(String app) {
        return new DeviceApi.Builder().setHost(host).setClient(recorder).setAppKey(app).setMasterSecret(secret(app)).build();
    }

    StatusApi statuses(String app) {
        return new StatusApi.Builder().setHost(host).setClient(recorder).setAppKey(app).setMasterSecret(secret(app)).build();
    }

    ScheduleApi schedules(String app) {
        return new ScheduleApi.Builder().setHost(host).setClient(recorder)
                .setAppKey(app).setMasterSecret(secret(app)).build();
    }

    GroupPushApi groupPushes(String group, String secret) {
        return new GroupPushApi.Builder().setHost(host).setClient(recorder).setAppKey(group).setMasterSecret(secret).build();
    }

    MoreCalls more(String app) {
        return Feign.builder().client(recorder).requestInterceptor(new BasicAuthRequestInterceptor(app, secret(app)))
                .encoder(new JacksonEncoder()).decoder(new JacksonDecoder()).errorDecoder(new ApiErrorDecoder())
                .target(MoreCalls.class, host);
    }

    @Override
    public void close() throws InterruptedException, IOException {
        int susulEnded = susul.stop();
        int engageLabEnded = engageLab.stop();
        if (susulEnded != 0 || engageLabEnded != 0) {
            throw new IllegalStateException("serve ended with " + susulEnded + ", sandbox with " + engageLabEnded);
        }
        try (Stream<Path> files = Files.walk(data)) { // the logs stay
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
    }
}
