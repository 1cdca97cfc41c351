package dev.susul.client;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import com.google.gson.Strictness;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import com.google.protobuf.Value;
import dev.susul.client.CallbackException.Fault;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.Reader;
import java.nio.charset.StandardCharsets;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Reads the document that is posted, in either format. */
final class CallbackBody {
    private CallbackBody() { }

    static List<CallbackRow> rows(byte[] body) throws CallbackException {
        JsonElement document = parse(body);
        if (document instanceof JsonObject envelope && envelope.has("data")) {
            document = envelope.get("data");
        }
        if (!(document instanceof JsonObject content && content.get("rows") instanceof JsonArray rows)) {
            throw new CallbackException(Fault.MALFORMED_BODY, "the body has no rows");
        }
        List<CallbackRow> read = new ArrayList<>(rows.size());
        for (JsonElement row : rows) {
            read.add(row(row));
        }
        return List.copyOf(read);
    }

    private static JsonElement parse(byte[] body) throws CallbackException {
        // A decoder that is made of its charset refuses what is no UTF-8.
        Reader text = new InputStreamReader(new ByteArrayInputStream(body), StandardCharsets.UTF_8.newDecoder());
        try (JsonReader reader = new JsonReader(text)) {
            reader.setStrictness(Strictness.STRICT);
            JsonElement document = JsonParser.parseReader(reader);
            if (reader.peek() != JsonToken.END_DOCUMENT) {
                throw new JsonParseException("there is more than one document");
            }
            return document;
        } catch (JsonParseException | IOException e) {
            throw new CallbackException(Fault.MALFORMED_BODY, "the body is no JSON", e);
        }
    }

    private static CallbackRow row(JsonElement element) throws CallbackException {
        JsonObject row = object(element);
        JsonObject status = object(row.get("status"));
        JsonObject own = object(row.get("susul"));
        String eventId = text(own, "event_id");
        String msgId = text(row, "message_id");
        String registrationId = text(row, "to");
        String what = text(status, "message_status");
        if (eventId.isEmpty() || msgId.isEmpty() || registrationId.isEmpty() || what.isEmpty()) {
            throw new CallbackException(Fault.MALFORMED_BODY, "a row is no event");
        }
        return new CallbackRow(
                eventId, msgId, registrationId, what, (int) number(own, "step"), text(own, "variant"), time(number(row, "itime")),
                text(row, "from"), text(row, "channel"), value(row.get("custom_args")), (int) number(status, "error_code"),
                text(object(status.get("error_detail")), "message"), text(object(status.get("loss")), "loss_source"),
                text(own, "upstream_id"), own.get("test") instanceof JsonPrimitive test && test.getAsBoolean(), row.toString());
    }

    // What is missing or of another kind is empty: a row says what it can.

    private static JsonObject object(JsonElement element) {
        return element instanceof JsonObject object ? object : new JsonObject();
    }

    private static String text(JsonObject object, String name) {
        return object.get(name) instanceof JsonPrimitive value && value.isString() ? value.getAsString() : "";
    }

    private static long number(JsonObject object, String name) {
        return object.get(name) instanceof JsonPrimitive value && value.isNumber() ? (long) value.getAsDouble() : 0;
    }

    private static Instant time(long seconds) {
        try {
            return Instant.ofEpochSecond(seconds);
        } catch (DateTimeException e) {
            return Instant.EPOCH;
        }
    }

    private static Value value(JsonElement element) {
        return Json.value(element == null ? Map.of() : plain(element));
    }

    private static Object plain(JsonElement element) {
        if (element instanceof JsonObject object) {
            Map<String, Object> members = new HashMap<>();
            object.asMap().forEach((name, member) -> members.put(name, plain(member)));
            return members;
        }
        if (element instanceof JsonArray array) {
            List<Object> items = new ArrayList<>();
            array.forEach(item -> items.add(plain(item)));
            return items;
        }
        if (element instanceof JsonPrimitive text && text.isString()) {
            return text.getAsString();
        }
        if (element instanceof JsonPrimitive yes && yes.isBoolean()) {
            return yes.getAsBoolean();
        }
        return element.isJsonNull() ? null : element.getAsNumber();
    }
}
