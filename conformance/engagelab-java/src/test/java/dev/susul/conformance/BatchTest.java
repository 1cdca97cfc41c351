package dev.susul.conformance;

import static dev.susul.conformance.Refusals.requireRefused;
import static dev.susul.conformance.Stage.json;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.github.engagelab.bean.device.DeviceSetParam;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(Stage.Resolver.class)
final class BatchTest {
    private static final String APP = "batches";

    private final Stage stage;
    private final MoreCalls calls;

    BatchTest(Stage stage) {
        this.stage = stage;
        this.calls = stage.more(APP);
    }

    /** A msg_id has to be a number that a Java long holds. */
    private static long requireSent(JsonNode result, String target) {
        assertEquals(target, result.get("target").asText());
        assertTrue(result.get("success").asBoolean(), result::toString);
        assertTrue(result.get("msg_id").isIntegralNumber() && result.get("msg_id").canConvertToLong(), result::toString);
        assertTrue(result.get("msg_id").asLong() > 0, result::toString);
        return result.get("msg_id").asLong();
    }

    private void requireReached(String device, String alert) {
        JsonNode message = Eventually.get(() -> stage.sandbox.messages(device).stream().findFirst().orElse(null));
        assertEquals(alert, message.get("shown").get("android").get("alert").asText());
    }

    private static Map<String, Object> batch(JsonNode... requests) {
        return Map.of("requests", List.of(requests));
    }

    private static JsonNode request(String target, String alert) {
        return Stage.JSON.valueToTree(Map.of("target", target, "platform", "android", "custom_args", Map.of("for", target),
                "notification", Map.of("alert", alert, "android", Map.of("alert", alert))));
    }

    @Test
    void toDevices() {
        JsonNode results = calls.batchByRegistrationId(
                batch(request("batch-1", "Hello, one"), request("batch-2", "Hello, two"))).get("results");
        assertEquals(2, results.size());
        long first = requireSent(results.get("batch-1"), "batch-1");
        long second = requireSent(results.get("batch-2"), "batch-2");
        assertTrue(first != second);
        requireReached("batch-1", "Hello, one");
        requireReached("batch-2", "Hello, two");
        Eventually.holds(() -> {
            JsonNode statuses = calls.batchStatus(first + "," + second);
            assertEquals(2, statuses.size());
            for (int i = 0; i < 2; i++) {
                assertEquals(i == 0 ? first : second, statuses.get(i).get("message_id").asLong());
                String status = statuses.get(i).get("status").asText();
                assertTrue(List.of("failed", "delivered", "displayed", "clicked").contains(status), status);
            }
        });
    }

    @Test
    void toAliases() {
        for (String name : List.of("ann", "ben")) {
            DeviceSetParam named = new DeviceSetParam();
            named.setAlias(name);
            stage.devices(APP).setDevice("batch-of-" + name, named);
        }
        JsonNode results = calls.batchByAlias(
                batch(request("ann", "Hello, Ann"), request("ben", "Hello, Ben"))).get("results");
        requireSent(results.get("ann"), "ann");
        requireSent(results.get("ben"), "ben");
        requireReached("batch-of-ann", "Hello, Ann");
        requireReached("batch-of-ben", "Hello, Ben");
    }

    @Test
    void oneMayFailWhileAnotherIsSent() {
        JsonNode faulty = json("""
                {"target": "batch-3", "platform": "android"}""");
        JsonNode results = calls.batchByRegistrationId(batch(faulty, request("batch-4", "Hello, four"))).get("results");
        requireSent(results.get("batch-4"), "batch-4");
        JsonNode refused = results.get("batch-3");
        assertFalse(refused.get("success").asBoolean());
        assertFalse(refused.has("msg_id"));
        assertEquals(Refusals.INVALID, refused.get("code").asInt());
        assertTrue(refused.get("message").asText().contains("notification"), refused::toString);
    }

    @Test
    void faultyBatches() {
        requireRefused(400, Refusals.INVALID, "requests", () -> calls.batchByRegistrationId(Map.of()));
        requireRefused(400, Refusals.INVALID, "requests", () -> calls.batchByRegistrationId(batch()));
        requireRefused(400, Refusals.INVALID, "requests[1].target",
                () -> calls.batchByRegistrationId(Map.of("requests", Collections.nCopies(2, request("batch-5", "twice")))));
        requireRefused(400, Refusals.INVALID, "500", () -> calls.batchByAlias(Map.of("requests",
                IntStream.range(0, 501).mapToObj(i -> request("many-" + i, "too many")).toList())));
        requireRefused(400, Refusals.INVALID, "message_ids", () -> calls.batchStatus("x"));
    }
}
