package dev.susul.conformance;

import static dev.susul.conformance.Refusals.requireRefused;
import static dev.susul.conformance.Stage.json;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.github.engagelab.api.ScheduleApi;
import io.github.engagelab.bean.push.PushParam;
import io.github.engagelab.bean.push.message.notification.NotificationMessage;
import io.github.engagelab.bean.push.to.To;
import io.github.engagelab.bean.schedule.SchedulePushDetailGetParam;
import io.github.engagelab.bean.schedule.SchedulePushDetailGetResult;
import io.github.engagelab.bean.schedule.SchedulePushGetResult;
import io.github.engagelab.bean.schedule.SchedulePushListParam;
import io.github.engagelab.bean.schedule.SchedulePushListResult;
import io.github.engagelab.bean.schedule.SchedulePushParam;
import io.github.engagelab.bean.schedule.SchedulePushResult;
import io.github.engagelab.bean.schedule.SchedulePushUpdateParam;
import io.github.engagelab.bean.schedule.SchedulePushUpdateResult;
import io.github.engagelab.bean.status.MessageStatusGetParam;
import io.github.engagelab.bean.status.MessageStatusGetResult;
import io.github.engagelab.enums.TimeUnit;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.ZoneOffset;
import java.time.temporal.ChronoUnit;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Schedules are EngageLab's; what they send becomes a push here once its callbacks come. */
@ExtendWith(Stage.Resolver.class)
final class ScheduleTest {
    private static final String APP = "schedules";

    private final Stage stage;
    private final ScheduleApi schedules;

    ScheduleTest(Stage stage) {
        this.stage = stage;
        this.schedules = stage.schedules(APP);
    }

    private static PushParam push(String device) {
        To to = new To();
        to.setRegistrationIdList(List.of(device));
        NotificationMessage notification = new NotificationMessage();
        notification.setAlert("right on time");
        PushParam.Body body = new PushParam.Body();
        body.setPlatform("all");
        body.setNotification(notification);
        PushParam push = new PushParam();
        push.setTo(to);
        push.setBody(body);
        return push;
    }

    private static SchedulePushParam.Trigger once(LocalDateTime at) {
        SchedulePushParam.Trigger.Single single = new SchedulePushParam.Trigger.Single();
        single.setTime(at);
        single.setZoneType(1);
        SchedulePushParam.Trigger trigger = new SchedulePushParam.Trigger();
        trigger.setSingle(single);
        return trigger;
    }

    private static SchedulePushParam.Trigger eachMonday() {
        SchedulePushParam.Trigger.Periodical periodical = new SchedulePushParam.Trigger.Periodical();
        periodical.setStartTime(LocalDateTime.of(2030, 1, 1, 9, 0));
        periodical.setEndTime(LocalDateTime.of(2031, 1, 1, 9, 0, 1));
        periodical.setTime(LocalTime.of(9, 30));
        periodical.setTimeUnit(TimeUnit.WEEK);
        periodical.setFrequency(1);
        periodical.setPoint(List.of("MON"));
        SchedulePushParam.Trigger trigger = new SchedulePushParam.Trigger();
        trigger.setPeriodical(periodical);
        return trigger;
    }

    /** A moment that has not passed when the schedule arrives, however busy the machine is. */
    private static LocalDateTime soon() {
        return LocalDateTime.now(ZoneOffset.UTC).plusSeconds(5).truncatedTo(ChronoUnit.SECONDS);
    }

    private SchedulePushGetResult get(String id) {
        List<SchedulePushGetResult> got = schedules.getSchedulePush(id);
        assertEquals(1, got.size());
        assertEquals(id, got.get(0).getScheduleId());
        return got.get(0);
    }

    private SchedulePushListResult list() {
        SchedulePushListParam page = new SchedulePushListParam();
        page.setPage(1);
        return schedules.listSchedulePush(page);
    }

    private SchedulePushListResult.Detail listed(String id) {
        return list().getSchedules().stream()
                .filter(schedule -> schedule.getScheduleId().equals(id)).findFirst().orElseThrow();
    }

    private List<Object> fired(String id) {
        SchedulePushDetailGetParam param = new SchedulePushDetailGetParam();
        param.setScheduleId(id);
        SchedulePushDetailGetResult got = schedules.getSchedulePushDetail(param);
        assertEquals(got.getDetails().size(), got.getCount());
        return got.getDetails();
    }

    @Test
    void aScheduleFiresAndItsPushIsKnown() {
        SchedulePushParam param = new SchedulePushParam();
        param.setName("once");
        param.setEnabled(true);
        param.setTrigger(once(soon()));
        param.setPush(push("punctual"));
        SchedulePushResult made = schedules.schedulePush(param);
        assertEquals("once", made.getName());

        Object message = Eventually.get(() -> fired(made.getScheduleId()).stream().findFirst().orElse(null));
        String id = Stage.JSON.valueToTree(message).get("msg_id").asText();
        JsonNode reached = Eventually.get(() -> stage.sandbox.messages("punctual").stream().findFirst().orElse(null));
        assertEquals(id, reached.get("msg_id").asText());
        MessageStatusGetParam question = new MessageStatusGetParam();
        question.setMessageIds(List.of(id));
        Eventually.holds(() -> {
            int asked = stage.sandbox.requests(APP).size();
            MessageStatusGetResult counts = stage.statuses(APP).getMessageStatus(question).get(id);
            assertEquals(asked, stage.sandbox.requests(APP).size(), "Susul need not ask EngageLab: callbacks came");
            assertEquals(1, counts.getTarget());
            assertEquals(1, counts.getDeliver());
        });
    }

    @Test
    void aScheduleIsReadListedChangedAndDeleted() {
        SchedulePushParam param = new SchedulePushParam();
        param.setName("mondays");
        param.setEnabled(true);
        param.setTrigger(eachMonday());
        param.setPush(push("never"));
        String id = schedules.schedulePush(param).getScheduleId();
        SchedulePushGetResult got = get(id);
        assertEquals("mondays", got.getName());
        assertEquals(eachMonday(), got.getTrigger());
        assertEquals(param.getPush().getBody(), got.getPush().getBody());

        assertEquals("mondays", listed(id).getName());
        assertEquals(list().getTotalCount(), list().getSchedules().size());
        assertEquals(1, list().getCurrentPage());
        assertEquals(1, list().getTotalPage());

        SchedulePushUpdateParam change = new SchedulePushUpdateParam();
        change.setScheduleId(id);
        change.setName("switched off");
        change.setEnabled(false);
        change.setTrigger(once(LocalDateTime.of(2031, 6, 1, 12, 0)));
        SchedulePushUpdateResult changed = schedules.updateSchedulePush(change);
        assertEquals("switched off", changed.getName());
        got = get(id);
        assertEquals("switched off", got.getName());
        assertEquals(false, got.getEnabled());
        assertEquals(change.getTrigger(), got.getTrigger());
        assertEquals(param.getPush().getBody(), got.getPush().getBody(), "what a change leaves out stays");
        assertEquals(List.of(), fired(id));

        schedules.deleteSchedulePush(id);
        requireRefused(404, Refusals.INVALID, "no schedule", () -> schedules.getSchedulePush(id));
        assertTrue(list().getSchedules().stream().noneMatch(schedule -> schedule.getScheduleId().equals(id)));
    }

    @Test
    void aScheduleWithWhatTheSdkDoesNotKnow() {
        SchedulePushResult made = schedules.schedulePush((Object) json("""
                {"name": "harmony", "enabled": false, "trigger": {"single": {"time": "2031-06-01 12:00:00", "zone_type": 1}},
                 "push": {"to": {"seg": {"id": "7"}}, "body": {
                    "platform": ["hmos"], "notification": {"hmos": {"alert": "Hello", "push_type": 0}}}}}"""));
        JsonNode kept = Stage.JSON.valueToTree(listed(made.getScheduleId()).getPush());
        assertEquals("7", kept.get("to").get("seg").get("id").asText());
        assertEquals(0, kept.get("body").get("notification").get("hmos").get("push_type").asInt(-1));
    }

    @Test
    void faultySchedules() {
        SchedulePushParam param = new SchedulePushParam();
        param.setName("faulty");
        param.setPush(push("never"));
        requireRefused(400, 21002, "trigger", () -> schedules.schedulePush(param));
        param.setTrigger(eachMonday());
        param.getTrigger().getPeriodical().setFrequency(0);
        requireRefused(400, Refusals.INVALID, "frequency", () -> schedules.schedulePush(param));
        requireRefused(404, Refusals.INVALID, "no schedule", () -> schedules.deleteSchedulePush("unknown"));
        assertTrue(list().getSchedules().stream().noneMatch(schedule -> schedule.getName().equals("faulty")));
    }
}
