package dev.susul.conformance;

import static dev.susul.conformance.Refusals.requireRefused;
import static dev.susul.conformance.Stage.json;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Push plans are EngageLab's; a push's plan_id ties it to one. */
@ExtendWith(Stage.Resolver.class)
final class PushPlanTest {
    private static final String APP = "plans";

    private final Stage stage;
    private final MoreCalls calls;

    PushPlanTest(Stage stage) {
        this.stage = stage;
        this.calls = stage.more(APP);
    }

    @Test
    void aPlanCountsItsPushes() {
        long began = System.currentTimeMillis();
        JsonNode made = calls.setPlan(Map.of("plan_id", "spring", "plan_description", "in May"));
        assertEquals("spring", made.get("plan_id").asText());
        calls.setPlan(Map.of("plan_id", "spring", "plan_description", "in March"));
        calls.setPlan(Map.of("plan_id", "autumn", "plan_description", "in October"));
        JsonNode unused = calls.listPlans(1, 10, 0, "March");
        assertEquals(1, unused.get("total").asInt());
        assertEquals(0, unused.get("push_plan_info").get(0).get("count").asInt());

        stage.pushes(APP).push((Object) json("""
                {"to": {"registration_id": ["planned-1", "planned-2"]},
                 "body": {"platform": "all", "notification": {"alert": "x"}, "options": {"plan_id": "spring"}}}"""));
        JsonNode reached = Eventually.get(() -> stage.sandbox.messages("planned-1").stream().findFirst().orElse(null));
        LocalDate today = LocalDate.now(ZoneOffset.UTC);
        JsonNode messages = calls.planMessages("spring,autumn", today.minusDays(1), today);
        assertEquals(1, messages.get("spring").get("msg_ids").size());
        assertEquals(reached.get("msg_id"), messages.get("spring").get("msg_ids").get(0));
        assertEquals(0, messages.get("autumn").get("msg_ids").size());
        assertEquals(2, calls.planDetail("spring", today.minusDays(1), today).get("spring").get("targets").asInt());

        JsonNode all = calls.listPlans(1, 10, null, null);
        assertEquals(2, all.get("total").asInt());
        JsonNode autumn = all.get("push_plan_info").get(0);
        JsonNode spring = all.get("push_plan_info").get(1);
        assertEquals("autumn", autumn.get("push_id").asText());
        assertFalse(autumn.has("last_used_time"));
        assertEquals("in March", spring.get("plan_description").asText());
        assertEquals(1, spring.get("count").asInt());
        long created = spring.get("create_time").asLong();
        long used = spring.get("last_used_time").asLong();
        assertTrue(began <= created && created <= used && used <= System.currentTimeMillis(), spring::toString);
        assertEquals(0, calls.listPlans(1, 10, 1, null).get("total").asInt(), "none was made in the console");

        assertEquals("autumn", calls.deletePlan("autumn").get("plan_id").asText());
        assertEquals(1, calls.listPlans(1, 10, null, null).get("total").asInt());
        requireRefused(400, Refusals.INVALID, "autumn", () -> calls.deletePlan("autumn"));
    }

    @Test
    void faultyPlans() {
        requireRefused(400, 21002, "plan_id", () -> calls.setPlan(Map.of("plan_description", "nameless")));
        requireRefused(400, Refusals.INVALID, "page_index", () -> calls.listPlans(0, 10, null, null));
    }
}
