package dev.susul.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.susul.client.CallbackException.Fault;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

class CallbackVerifierTest {
    private static final Path VECTORS = Path.of("../callback_vectors.json");

    /** A callback of callback_vectors.json, as a web server has it. */
    private record Vector(JsonObject json) {
        CallbackVerifier verifier() {
            Clock clock = Clock.fixed(Instant.ofEpochSecond(json.get("now").getAsLong()), ZoneOffset.UTC);
            List<String> secrets = json.getAsJsonArray("secrets").asList().stream().map(JsonElement::getAsString).toList();
            return new CallbackVerifier(json.get("username").getAsString(), secrets, clock);
        }

        Map<String, List<String>> headers() {
            Map<String, List<String>> headers = new HashMap<>();
            json.getAsJsonObject("headers").asMap().forEach((name, value) -> headers.put(name, List.of(value.getAsString())));
            return headers;
        }

        byte[] body() {
            return json.get("body").getAsString().getBytes(StandardCharsets.UTF_8);
        }

        List<CallbackRow> verify() throws CallbackException {
            return verifier().verify(headers(), body());
        }

        /** As verify, by a server that looks headers up. */
        List<CallbackRow> lookUp() throws CallbackException {
            Map<String, String> headers = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
            headers().forEach((name, values) -> headers.put(name, values.get(0)));
            return verifier().verify(headers::get, body());
        }
    }

    private static List<Vector> vectors() throws IOException {
        JsonObject document = JsonParser.parseString(Files.readString(VECTORS)).getAsJsonObject();
        return document.getAsJsonArray("vectors").asList().stream().map(JsonElement::getAsJsonObject).map(Vector::new).toList();
    }

    private static Vector valid() throws IOException {
        return vectors().get(0);
    }

    @TestFactory
    Stream<DynamicTest> isAsTheVectorsSay() throws IOException {
        return vectors().stream().map(vector -> dynamicTest(vector.json.get("name").getAsString(), () -> {
            if (vector.json.has("error")) {
                Fault wanted = Fault.valueOf(vector.json.get("error").getAsString());
                assertEquals(wanted, assertThrows(CallbackException.class, vector::verify).fault());
                assertEquals(wanted, assertThrows(CallbackException.class, vector::lookUp).fault());
            } else {
                JsonArray rows = new JsonArray();
                vector.verify().forEach(row -> rows.add(JsonParser.parseString(row.json())));
                Subset.assertSubset(rows, vector.json.get("rows"));
                assertEquals(vector.verify(), vector.lookUp());
            }
        }));
    }

    @Test
    void rowsHaveWhatWasPosted() throws Exception {
        List<CallbackRow> rows = valid().verify();
        CallbackRow delivered = rows.get(0);
        assertEquals(new CallbackRow("9007199254740993", "7340001", "device-1", "delivered", 0, "",
                Instant.ofEpochSecond(1_789_999_990), "news", "FCM", Json.value(Map.of("kind", "news")), 0, "", "", "18100512",
                false, delivered.json()), delivered);
        CallbackRow failed = rows.get(1);
        assertEquals(new CallbackRow("9007199254740994", "7340001", "dévice-2 – ü", "target_invalid", 2, "b",
                Instant.ofEpochSecond(1_789_999_991), "news", "", Json.value("a string"), 3007, "NotRegistered", "FCM",
                "18100513", false, failed.json()), failed);
    }

    @Test
    void aHeaderThatCameTwiceIsNotChosenFrom() throws Exception {
        Vector vector = valid();
        Map<String, List<String>> headers = vector.headers();
        headers.put("accept", List.of("one", "other"));
        assertEquals(2, vector.verifier().verify(headers, vector.body()).size());
        List<String> twice = new ArrayList<>(headers.get("webhook-id"));
        twice.add("another");
        headers.put("webhook-id", twice);
        CallbackException refused =
                assertThrows(CallbackException.class, () -> vector.verifier().verify(headers, vector.body()));
        assertEquals(Fault.MALFORMED_HEADER, refused.fault());
    }

    @Test
    void byDefaultTheTimeIsNow() throws IOException {
        Vector vector = valid();
        CallbackVerifier verifier = new CallbackVerifier("susul", "a-secret-of-the-receiver");
        assertEquals(Fault.STALE,
                assertThrows(CallbackException.class, () -> verifier.verify(vector.headers(), vector.body())).fault());
    }

    @Test
    void aVerifierNeedsAUserNameAndSecrets() {
        assertThrows(IllegalArgumentException.class, () -> new CallbackVerifier("susul"));
        assertThrows(IllegalArgumentException.class, () -> new CallbackVerifier("susul", "a-secret", ""));
        assertThrows(IllegalArgumentException.class, () -> new CallbackVerifier("", "a-secret"));
    }

    @Test
    void oddRowsAreReadAsFarAsTheySaySomething() throws Exception {
        String row = """
                {"rows":[{"message_id":"1","to":"d","itime":"soon","custom_args":[1,true,null,{"a":"b"}],
                "status":{"message_status":"click","error_code":"none","error_detail":[]},
                "susul":{"event_id":"2","test":true}}]}""";
        CallbackRow read = CallbackBody.rows(row.getBytes(StandardCharsets.UTF_8)).get(0);
        assertEquals(Instant.EPOCH, read.time());
        assertEquals(0, read.errorCode());
        assertTrue(read.test());
        assertEquals(4, read.customArgs().getListValue().getValuesCount());
    }

    @Test
    void aBodyIsOneDocumentOfJson() {
        for (String body : List.of("", "{\"rows\":[]} {}", "{'rows':[]}", "{\"rows\":[{}]}", "{\"rows\":{}}", "{\"rows\":[],}")) {
            assertEquals(Fault.MALFORMED_BODY, assertThrows(CallbackException.class,
                    () -> CallbackBody.rows(body.getBytes(StandardCharsets.UTF_8)), body).fault());
        }
        byte[] latin = "{\"rows\":[],\"x\":\"\u00fc\"}".getBytes(StandardCharsets.ISO_8859_1);
        assertEquals(Fault.MALFORMED_BODY, assertThrows(CallbackException.class, () -> CallbackBody.rows(latin)).fault());
        String deep = "[".repeat(100_000);
        assertEquals(Fault.MALFORMED_BODY, assertThrows(CallbackException.class,
                () -> CallbackBody.rows(deep.getBytes(StandardCharsets.UTF_8))).fault());
    }
}
