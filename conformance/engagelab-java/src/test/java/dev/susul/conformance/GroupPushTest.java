package dev.susul.conformance;

import static dev.susul.conformance.Refusals.requireRefused;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;

import io.github.engagelab.api.GroupPushApi;
import io.github.engagelab.bean.device.DeviceSetParam;
import io.github.engagelab.bean.push.GroupPushParam;
import io.github.engagelab.bean.push.GroupPushResult;
import io.github.engagelab.bean.push.PushParam;
import io.github.engagelab.bean.push.PushResult;
import io.github.engagelab.bean.push.message.notification.NotificationMessage;
import io.github.engagelab.bean.push.to.To;
import io.github.engagelab.bean.status.MessageStatusGetParam;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(Stage.Resolver.class)
final class GroupPushTest {
    private final Stage stage;
    private final GroupPushApi group;

    GroupPushTest(Stage stage) {
        this.stage = stage;
        this.group = stage.groupPushes(Stage.GROUP, Stage.secret(Stage.GROUP));
    }

    private static GroupPushParam push(To to) {
        NotificationMessage notification = new NotificationMessage();
        notification.setAlert("to all apps");
        PushParam.Body body = new PushParam.Body();
        body.setPlatform("all");
        body.setNotification(notification);
        GroupPushParam push = new GroupPushParam();
        push.setTo(to);
        push.setBody(body);
        return push;
    }

    @Test
    void eachAppHasItsOwnPush() {
        To to = new To();
        to.setRegistrationIdList(List.of("grouped-1", "grouped-2"));
        GroupPushResult got = group.push(push(to));
        Set<String> apps = Stream.concat(Stage.APPS.stream(), Stream.of(Stage.UNSERVED)).collect(Collectors.toSet());
        assertEquals(apps, got.getSuccesses().keySet());
        assertEquals(Set.of(), got.getErrors().keySet());
        assertNotNull(got.getGroupMsgId());
        assertFalse(got.getGroupMsgId().isEmpty());
        assertEquals(apps.size(), got.getSuccesses().values().stream().map(PushResult::getMsgId).distinct().count());
        for (String app : Stage.APPS) {
            String id = got.getSuccesses().get(app).getMsgId();
            MessageStatusGetParam question = new MessageStatusGetParam();
            question.setMessageIds(List.of(id));
            Eventually.holds(() -> assertEquals(2, stage.statuses(app).getMessageStatus(question).get(id).getTarget(), app));
        }
        Eventually.holds(() -> assertEquals(apps, stage.sandbox.messages("grouped-1").stream()
                .map(message -> message.get("app").asText()).collect(Collectors.toSet())));
    }

    @Test
    void oneAppMayRefuse() {
        DeviceSetParam named = new DeviceSetParam();
        named.setAlias("only here");
        stage.devices("batches").setDevice("grouped-3", named);
        named.setAlias("");
        for (String app : List.of("pushes", "statuses")) {
            DeviceSetParam renamed = new DeviceSetParam();
            renamed.setAlias("only here");
            stage.devices(app).setDevice("passing", renamed);
            stage.devices(app).setDevice("passing", named);
        }
        To to = new To();
        to.setAliasList(List.of("only here"));
        GroupPushResult got = group.push(push(to));
        assertEquals(Set.of("pushes", "statuses"), got.getErrors().keySet());
        assertEquals(Refusals.NO_TARGET, got.getErrors().get("pushes").getCode());
        assertEquals("no device belongs to the audience", got.getErrors().get("pushes").getMessage());
        assertEquals(Stage.APPS.size() - 1, got.getSuccesses().size());
    }

    @Test
    void refusals() {
        To to = new To();
        to.setRegistrationIdList(List.of("grouped-4"));
        requireRefused(401, Refusals.UNAUTHENTICATED, "", () -> stage.groupPushes(Stage.GROUP, "wrong").push(push(to)));
        requireRefused(401, Refusals.UNAUTHENTICATED, "", () -> stage.groupPushes("strangers", "wrong").push(push(to)));
        GroupPushParam faulty = push(to);
        faulty.setBody(null);
        requireRefused(400, Refusals.INVALID, "body", () -> group.push(faulty));
    }
}
