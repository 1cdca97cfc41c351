package dev.susul.examples;

import dev.susul.client.EventWatch;
import dev.susul.client.Json;
import dev.susul.client.Susul;
import dev.susul.client.SusulException;
import dev.susul.v1.Audience;
import dev.susul.v1.CreatePushRequest;
import dev.susul.v1.Event;
import dev.susul.v1.Milestone;
import dev.susul.v1.Notification;
import dev.susul.v1.Push;
import dev.susul.v1.RegistrationIds;
import dev.susul.v1.WatchEventsRequest;
import dev.susul.v1.WatchEventsResponse;
import java.util.Map;

/** Sends a push, and follows it until it is clicked. */
public final class Send {
    public static String send(String address, String app, String masterSecret, String device) {
        String parent = "apps/" + app;
        try (Susul susul = Susul.connect(address).app(app, masterSecret);
                EventWatch events = susul.watchEvents(WatchEventsRequest.newBuilder().setParent(parent).build())) {
            events.next(); // the first answer has no event; from here on none is missed

            Push push = susul.pushes().createPush(CreatePushRequest.newBuilder()
                    .setParent(parent)
                    .setPush(Push.newBuilder()
                            .setAudience(Audience.newBuilder().setRegistrationIds(RegistrationIds.newBuilder().addIds(device)))
                            .setNotification(Notification.newBuilder().setAlert("Three things to know today"))
                            .setCustomArgs(Json.value(Map.of("kind", "news"))))
                    .build()).getPush();

            for (WatchEventsResponse answer : events) { // through reconnections
                Event event = answer.getEvent();
                if (event.getMsgId().equals(push.getMsgId())) {
                    System.out.println(event.getMilestone() + " " + event.getCallback().getRegistrationId());
                    if (event.getMilestone() == Milestone.MILESTONE_CLICKED) {
                        break;
                    }
                }
            }
            return push.getMsgId();
        } catch (SusulException e) {
            System.err.println(e.reason() + " " + e.metadata() + " " + e.fieldViolations());
            throw e;
        }
    }
}
