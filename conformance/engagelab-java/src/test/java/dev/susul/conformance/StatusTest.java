package dev.susul.conformance;

import static dev.susul.conformance.Refusals.requireRefused;
import static dev.susul.conformance.Stage.json;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.engagelab.api.StatusApi;
import io.github.engagelab.bean.status.MessageLifecycleGetParam;
import io.github.engagelab.bean.status.MessageLifecycleGetResult;
import io.github.engagelab.bean.status.MessageStatusGetParam;
import io.github.engagelab.bean.status.MessageStatusGetResult;
import io.github.engagelab.bean.status.UserStatusGetParam;
import io.github.engagelab.bean.status.UserStatusGetResult;
import io.github.engagelab.enums.TimeUnit;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(Stage.Resolver.class)
final class StatusTest {
    private static final String APP = "statuses";

    private final Stage stage;
    private final StatusApi statuses;

    StatusTest(Stage stage) {
        this.stage = stage;
        this.statuses = stage.statuses(APP);
    }

    private String push(List<String> devices) {
        ObjectNode push = (ObjectNode) json("""
                {"body": {"platform": "android", "notification": {"alert": "counted"}}}""");
        push.set("to", Stage.JSON.valueToTree(Map.of("registration_id", devices)));
        return stage.pushes(APP).push((Object) push).getMsgId();
    }

    private static List<String> devices(String prefix, int count) {
        return IntStream.range(0, count).mapToObj(i -> prefix + i).toList();
    }

    private Map<String, MessageStatusGetResult> details(String... messages) {
        MessageStatusGetParam param = new MessageStatusGetParam();
        param.setMessageIds(List.of(messages));
        return statuses.getMessageStatus(param);
    }

    private Map<String, MessageLifecycleGetResult> lifecycles(String message, List<String> devices) {
        MessageLifecycleGetParam param = new MessageLifecycleGetParam();
        param.setMessageId(message);
        param.setRegistrationIds(devices);
        return statuses.getMessageLifecycle(param);
    }

    /** How far the one message of a device got, by the device's own account; empty if it is still on its way. */
    private String furthest(String device) {
        JsonNode message = stage.sandbox.messages(device).stream().findFirst().orElse(json("{}"));
        for (String milestone : List.of("clicked", "displayed", "delivered", "sent", "failed")) {
            if (message.has(milestone + "_at")) {
                return milestone;
            }
        }
        return "";
    }

    private long countOf(Map<String, Long> furthest, String... milestones) {
        return List.of(milestones).stream().mapToLong(milestone -> furthest.getOrDefault(milestone, 0L)).sum();
    }

    @Test
    void whatIsToldIsWhatTheDevicesSaw() {
        List<String> all = devices("counted-", 80);
        String id = push(all);
        String second = push(List.of("alone"));
        Eventually.holds(() -> {
            Map<String, String> seen = all.stream().collect(Collectors.toMap(Function.identity(), this::furthest));
            Map<String, String> told = lifecycles(id, all).entrySet().stream()
                    .collect(Collectors.toMap(Map.Entry::getKey, entry -> entry.getValue().getStatus()));
            assertEquals(seen, told);

            Map<String, Long> furthest = seen.values().stream()
                    .collect(Collectors.groupingBy(Function.identity(), Collectors.counting()));
            assertEquals(4, furthest.size(), () -> "some failed, some were delivered, displayed, clicked: " + furthest);
            Map<String, MessageStatusGetResult> answer = details(id, second);
            MessageStatusGetResult counts = answer.get(id);
            assertEquals(80, counts.getTarget());
            assertEquals(countOf(furthest, "sent", "delivered", "displayed", "clicked"), counts.getSent());
            assertEquals(countOf(furthest, "delivered", "displayed", "clicked"), counts.getDeliver());
            assertEquals(countOf(furthest, "displayed", "clicked"), counts.getImpression());
            assertEquals(countOf(furthest, "clicked"), counts.getClick());
            MessageStatusGetResult.Sub.Message notification = counts.getSub().getNotification();
            assertEquals(counts.getTarget(), notification.getTarget());
            assertEquals(counts.getSent(), notification.getSent());
            assertEquals(counts.getDeliver(), notification.getDeliver());
            assertEquals(counts.getImpression(), notification.getImpression());
            assertEquals(counts.getClick(), notification.getClick());
            assertEquals(1, answer.get(second).getTarget());
        });
    }

    @Test
    void strangersAreLeftOut() {
        String id = push(List.of("known"));
        assertEquals(List.of("known"), List.copyOf(lifecycles(id, List.of("known", "stranger")).keySet()));
        assertEquals(List.of(id), List.copyOf(details(id, "4242").keySet()));
        requireRefused(400, Refusals.INVALID, "message_id", () -> lifecycles("4242", List.of("known")));
    }

    @Test
    void faultyQuestions() {
        requireRefused(400, Refusals.INVALID, "message_ids", () -> details("no-number"));
        String[] many = Collections.nCopies(101, "1").toArray(String[]::new);
        requireRefused(400, Refusals.INVALID, "message_ids", () -> details(many));
        requireRefused(400, Refusals.INVALID, "message_id", () -> lifecycles("-1", List.of("a")));
        String id = push(List.of("b"));
        requireRefused(400, Refusals.INVALID, "registration_ids", () -> lifecycles(id, devices("many-", 101)));
    }

    @Test
    void statisticsOfUsers() {
        UserStatusGetParam param = new UserStatusGetParam();
        param.setTimeUnit(TimeUnit.DAY);
        param.setStartTime("2026-02-27");
        param.setDuration(3);
        UserStatusGetResult got = statuses.getUserStatus(param);
        assertEquals("DAY", got.getTimeUnit());
        assertEquals("2026-02-27", got.getStart());
        assertEquals(3, got.getDuration());
        assertEquals(List.of("2026-02-27", "2026-02-28", "2026-03-01"),
                got.getItems().stream().map(UserStatusGetResult.Item::getTime).toList());
        for (UserStatusGetResult.Item item : got.getItems()) {
            assertEquals(Stage.POPULATION, item.getAndroid().getOnlineCount());
            assertEquals(Stage.POPULATION, item.getIOS().getActiveCount());
            assertTrue(item.getIOS().getNewCount() <= Stage.POPULATION);
        }
        param.setDuration(0);
        requireRefused(400, Refusals.INVALID, "duration", () -> statuses.getUserStatus(param));
    }
}
