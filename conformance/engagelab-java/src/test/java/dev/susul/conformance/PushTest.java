package dev.susul.conformance;

import static dev.susul.conformance.Refusals.requireRefused;
import static dev.susul.conformance.Stage.json;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.engagelab.api.DeviceApi;
import io.github.engagelab.api.PushApi;
import io.github.engagelab.bean.device.DeviceSetParam;
import io.github.engagelab.bean.device.TagSetParam;
import io.github.engagelab.bean.push.PushParam;
import io.github.engagelab.bean.push.PushResult;
import io.github.engagelab.bean.push.message.custom.CustomMessage;
import io.github.engagelab.bean.push.message.liveactivity.LiveActivityMessage;
import io.github.engagelab.bean.push.message.notification.NotificationMessage;
import io.github.engagelab.bean.push.options.Options;
import io.github.engagelab.bean.push.to.To;
import io.github.engagelab.bean.status.MessageStatusGetParam;
import io.github.engagelab.bean.status.MessageStatusGetResult;
import io.github.engagelab.enums.Platform;
import io.github.engagelab.enums.event.Event;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@ExtendWith(Stage.Resolver.class)
final class PushTest {
    private static final String APP = "pushes";

    private final Stage stage;
    private final PushApi pushes;

    PushTest(Stage stage) {
        this.stage = stage;
        this.pushes = stage.pushes(APP);
    }

    /** Requires that a push was sent once, and reached EngageLab as the SDK wrote it. Returns its msg_id. */
    private long requireSent(Object push, PushResult result) {
        JsonNode written = json(Stage.JSON.valueToTree(push).toString());
        assertEquals(written.get("request_id").asText(), result.getRequestId());
        assertEquals(List.of(written), stage.sandbox.pushes(APP, result.getRequestId()));
        long id = Long.parseLong(result.getMsgId());
        assertTrue(id > 0, result.getMsgId());
        return id;
    }

    private static PushParam push(String requestId, Object to, Object platform) {
        PushParam.Body body = new PushParam.Body();
        body.setPlatform(platform);
        PushParam push = new PushParam();
        push.setRequestId(requestId);
        push.setTo(to);
        push.setBody(body);
        return push;
    }

    private static To toDevices(String... ids) {
        To to = new To();
        to.setRegistrationIdList(Arrays.asList(ids));
        return to;
    }

    private static NotificationMessage alert(String text) {
        NotificationMessage notification = new NotificationMessage();
        notification.setAlert(text);
        return notification;
    }

    /** The one message of a device. */
    private JsonNode reached(String device) {
        return Eventually.get(() -> stage.sandbox.messages(device).stream().findFirst().orElse(null));
    }

    @Test
    void aNotificationWithAllThatTheSdkKnows() {
        List<Platform> both = List.of(Platform.android, Platform.ios);
        PushParam push = push("everything", toDevices("everything-1", "everything-2"), both);
        push.setFrom("news desk");
        push.setCustomArgs(Map.of("kind", "news", "number", Long.MAX_VALUE, "names", List.of("Åse", "新闻", "🙂")));
        NotificationMessage.Android android = new NotificationMessage.Android();
        android.setAlert("Three things to know");
        android.setTitle("News");
        android.setBuilderId(2);
        android.setChannelId("news");
        android.setPriority(1);
        android.setStyle(1);
        android.setBigText("Three things to know, at length");
        android.setExtras(Map.of("newsid", 321, "nested", Map.of("a-b", 0.5)));
        NotificationMessage.Android.Intent intent = new NotificationMessage.Android.Intent();
        intent.setUrl("intent:#Intent;component=com.example/.Main;end");
        android.setIntent(intent);
        android.setBadgeAddNumber(1);
        android.setDisplayForeground("1");
        NotificationMessage.IOS ios = new NotificationMessage.IOS();
        ios.setAlert(Map.of("title", "News for iOS", "body", "Three things"));
        ios.setSound("default");
        ios.setBadge("+1");
        ios.setContentAvailable(true);
        ios.setMutableContent(false);
        ios.setThreadId("news");
        ios.setInterruptionLevel("active");
        NotificationMessage notification = alert("Three things");
        notification.setAndroid(android);
        notification.setIos(ios);
        push.getBody().setNotification(notification);
        Options options = new Options();
        options.setTimeToLive(3600);
        options.setOverrideMsgId(9_007_199_254_740_993L); // more than a double can hold
        options.setApnsProduction(false);
        options.setApnsCollapseId("news");
        options.setBigPushDuration(10);
        options.setMultiLanguage(Map.of("de", Map.of("content", "Drei Dinge", "title", "Neues")));
        options.setThirdPartyChannel(Map.of("huawei", Map.of("distribution", "ospush")));
        options.setClassification(1);
        push.getBody().setOptions(options);

        requireSent(push, pushes.push(push));
        JsonNode shown = reached("everything-2").get("shown");
        assertEquals(json("{'title': 'News', 'alert': 'Three things to know'}".replace('\'', '"')), shown.get("android"));
        assertEquals(json("{'title': 'News for iOS', 'alert': 'Three things'}".replace('\'', '"')), shown.get("ios"));
        assertEquals(2, shown.size());
    }

    @Test
    void aMessageThatPassesThrough() {
        PushParam push = push("custom", toDevices("custom-1"), Platform.android);
        CustomMessage message = new CustomMessage();
        message.title = "for the app";
        message.content = "{\"refresh\":true}";
        message.contentType = "text";
        message.extras = Map.of("depth", 3);
        push.getBody().setCustom(message);
        requireSent(push, pushes.push(push));
        assertEquals("for the app", reached("custom-1").get("shown").get("android").get("title").asText());
    }

    @Test
    void aLiveActivity() {
        To to = new To();
        to.setLiveActivityId("match-7");
        PushParam push = push("live", to, Platform.ios);
        LiveActivityMessage.LiveActivityIOS ios = new LiveActivityMessage.LiveActivityIOS();
        ios.setEvent(Event.update);
        ios.setContentState(Map.of("score", "2:1", "minute", 77));
        ios.setDismissalDate(1_900_000_000L);
        ios.setRelevanceScore(50);
        ios.setApnsPriority(5);
        LiveActivityMessage activity = new LiveActivityMessage();
        activity.setIOS(ios);
        push.getBody().setLiveActivity(activity);

        requireSent(push, pushes.push(push));
        JsonNode arrived = stage.sandbox.pushes(APP, "live").get(0).get("body").get("live_activity").get("ios");
        assertEquals(77, arrived.get("content-state").get("minute").asInt());
    }

    @Test
    void harmonyOsAndTheWeb() {
        JsonNode push = json("""
                {"request_id": "harmony", "to": {"registration_id": ["harmony-1"]},
                 "body": {"platform": ["hmos", "web"], "notification": {
                    "hmos": {"alert": "Hello", "title": "HarmonyOS", "category": "MARKETING", "push_type": 0,
                             "intent": {"url": "action.system.home"}, "badge_add_num": 1, "test_message": true,
                             "receipt_id": "RCP1", "extras": {"k": [1, null]}, "style": 0},
                    "web": {"alert": "Hello, web", "title": "Web", "url": "https://example.com/"}}}}""");
        requireSent(push, pushes.push(push));
        JsonNode shown = reached("harmony-1").get("shown");
        assertEquals("HarmonyOS", shown.get("hmos").get("title").asText());
        assertEquals("Hello, web", shown.get("web").get("alert").asText());
    }

    @Test
    void aRepeatedRequestSendsNothingTwice() {
        PushParam push = push("again", toDevices("again-1"), "all");
        push.getBody().setNotification(alert("once"));
        long first = requireSent(push, pushes.push(push));
        assertEquals(first, requireSent(push, pushes.push(push)));
        push.setRequestId("another");
        assertNotEquals(first, requireSent(push, pushes.push(push)));
    }

    /** Audiences that only EngageLab can resolve: Susul's numbers come from callbacks, and are EngageLab's in the end. */
    @ParameterizedTest
    @ValueSource(strings = {"\"all\"", "{\"seg\": {\"id\": \"regulars\"}}", "{\"tag_and\": [\"vip\", \"press\"]}",
            "{\"tag\": [\"vip\", \"press\"], \"tag_not\": [\"muted\"]}"})
    void anAudienceThatIsNoList(String to) {
        String plan = "audience_" + Math.abs(to.hashCode());
        stage.more(APP).setPlan(Map.of("plan_id", plan, "plan_description", "tells EngageLab's own msg_id"));
        ObjectNode push = (ObjectNode) json("""
                {"body": {"platform": "all", "notification": {"alert": "to many"},
                          "options": {"plan_id": "%s"}}}""".formatted(plan));
        push.put("request_id", plan).set("to", json(to));
        String id = String.valueOf(requireSent(push, pushes.push((Object) push)));

        LocalDate today = LocalDate.now(ZoneOffset.UTC);
        JsonNode upstream = stage.more(APP).planMessages(plan, today.minusDays(1), today).get(plan).get("msg_ids");
        assertEquals(1, upstream.size());
        MessageStatusGetParam both = new MessageStatusGetParam();
        both.setMessageIds(List.of(id, upstream.get(0).asText()));
        Eventually.holds(() -> {
            JsonNode theirs = stage.more(APP).planDetail(plan, today.minusDays(1), today).get(plan);
            Map<String, MessageStatusGetResult> ours = stage.statuses(APP).getMessageStatus(both);
            MessageStatusGetResult counts = ours.get(id);
            assertEquals(counts, ours.get(upstream.get(0).asText()), "either id names the push");
            assertEquals(theirs.get("sent").asLong(), counts.getSent());
            assertEquals(theirs.get("delivered").asLong(), counts.getDeliver());
            assertEquals(theirs.get("impressions").asLong(), counts.getImpression());
            assertEquals(theirs.get("clicks").asLong(), counts.getClick());
            assertTrue(0 < counts.getClick() && counts.getClick() < counts.getImpression()
                    && counts.getImpression() < counts.getSent(), counts::toString);
            assertEquals(theirs.get("targets").asLong(), counts.getTarget());
            assertEquals(to.equals("\"all\""), counts.getTarget() == Stage.POPULATION, "all is more than some");
        });
    }

    @Test
    void tagsAndAliasesThatWereSet() {
        DeviceApi devices = stage.devices(APP);
        TagSetParam.RegistrationIds members = new TagSetParam.RegistrationIds();
        members.setAdd(List.of("tagged-1", "tagged-2"));
        TagSetParam tag = new TagSetParam();
        tag.setRegistrationIds(members);
        devices.setTag("tagged", tag);
        DeviceSetParam named = new DeviceSetParam();
        named.setAlias("jo");
        devices.setDevice("named-1", named);

        To tagged = new To();
        tagged.setTagOrList(List.of("tagged"));
        PushParam byTag = push("by tag", tagged, Platform.android);
        byTag.getBody().setNotification(alert("to a tag"));
        requireSent(byTag, pushes.push(byTag));
        To aliased = new To();
        aliased.setAliasList(List.of("jo"));
        PushParam byAlias = push("by alias", aliased, Platform.android);
        byAlias.getBody().setNotification(alert("to an alias"));
        requireSent(byAlias, pushes.push(byAlias));
        for (String device : List.of("tagged-1", "tagged-2")) {
            assertEquals("to a tag", reached(device).get("shown").get("android").get("alert").asText());
        }
        assertEquals("to an alias", reached("named-1").get("shown").get("android").get("alert").asText());
    }

    @Test
    void aWithdrawal() {
        PushParam push = push("regretted", toDevices("regretted-1"), "all");
        push.getBody().setNotification(alert("by mistake"));
        PushResult sent = pushes.push(push);
        String upstream = reached("regretted-1").get("msg_id").asText();
        JsonNode withdrawn = stage.more(APP).withdraw(sent.getMsgId());
        assertEquals(sent.getMsgId(), withdrawn.get("msg_id").asText());
        assertEquals("DELETE /v4/push/withdraw/" + upstream, stage.sandbox.latest(APP));
        requireRefused(400, Refusals.CANNOT_WITHDRAW, "state", () -> stage.more(APP).withdraw(sent.getMsgId()));
        requireRefused(400, Refusals.CANNOT_WITHDRAW, "not known", () -> stage.more(APP).withdraw("12345"));
        requireRefused(400, Refusals.INVALID, "msg_id", () -> stage.more(APP).withdraw("no-number"));
    }

    @Test
    void aValidationSendsNothing() {
        PushParam push = push("only a test", toDevices("validated-1"), "all");
        push.getBody().setNotification(alert("not sent"));
        assertEquals("only a test", stage.more(APP).validate(push).get("request_id").asText());
        assertEquals("POST /v4/push/validate", stage.sandbox.latest(APP));
        assertEquals(List.of(), stage.sandbox.pushes(APP, "only a test"));
    }

    @Test
    void wrongCredentials() {
        PushParam push = push("stranger", toDevices("stranger-1"), "all");
        push.getBody().setNotification(alert("from a stranger"));
        for (PushApi stranger : List.of(stage.pushes(APP, "wrong"), stage.pushes("nobody", Stage.secret(APP)))) {
            requireRefused(401, Refusals.UNAUTHENTICATED, "", () -> stranger.push(push));
        }
        requireRefused(403, Refusals.UNAUTHENTICATED, "",
                () -> stage.pushes("group-" + Stage.GROUP, Stage.secret(Stage.GROUP)).push(push));
        assertEquals(List.of(), stage.sandbox.pushes(APP, "stranger"));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
            {"body": {"platform": "all", "notification": {"alert": "x"}}}                                     | to
            {"to": "some", "body": {"platform": "all", "notification": {"alert": "x"}}}                       | to
            {"to": "all", "body": "text"}                                                                     | body
            {"to": {"registration_id": ["a"]}}                                                                | body
            {"to": {"registration_id": ["a"]}, "body": {"platform": "amiga", "notification": {"alert": "x"}}} | platform
            {"to": {"registration_id": ["a"]}, "body": {"platform": "all"}}                                   | notification
            """)
    void aFaultyDocument(String document, String field) {
        ObjectNode push = (ObjectNode) json(document);
        push.put("request_id", "faulty");
        requireRefused(400, Refusals.INVALID, field, () -> pushes.push((Object) push));
    }

    @Test
    void aRefusalOfEngageLab() {
        DeviceApi devices = stage.devices(APP);
        TagSetParam.RegistrationIds members = new TagSetParam.RegistrationIds();
        members.setAdd(List.of("gone-1"));
        TagSetParam tag = new TagSetParam();
        tag.setRegistrationIds(members);
        devices.setTag("deserted", tag);
        members.setAdd(List.of());
        members.setRemove(List.of("gone-1"));
        devices.setTag("deserted", tag);
        To to = new To();
        to.setTagOrList(List.of("deserted"));
        PushParam push = push("to nobody", to, "all");
        push.getBody().setNotification(alert("to nobody"));
        requireRefused(400, Refusals.NO_TARGET, "no device belongs to the audience", () -> pushes.push(push));
        assertEquals(1, stage.sandbox.pushes(APP, "to nobody").size(), "it was EngageLab that refused");
    }
}
