package dev.susul.client;

import com.google.protobuf.Value;
import java.time.Instant;

/**
 * One event, as it is posted to the {@code callback_urls} of pushes and to subscriptions.
 *
 * @param eventId Susul's id of the event; it may come more than once, with the same id
 * @param msgId Susul's msg_id of the push
 * @param registrationId the device
 * @param status what happened: {@code sent}, {@code delivered}, {@code impression}, {@code click}, or the name of a failure;
 *     others may come
 * @param step the step that it belongs to; 0 is the first sending
 * @param variant the step's variant; empty for a step without
 * @param time when it happened, to the second
 * @param from the push's {@code from}
 * @param channel the vendor's channel that carried it, for example {@code FCM}
 * @param customArgs the push's own, an object or a string; numbers have the precision of a double, {@code json} has all digits
 * @param errorCode EngageLab's code of a failure; 0 for none
 * @param errorMessage EngageLab's text of a failure
 * @param lossSource where it was lost, if it was
 * @param upstreamId EngageLab's id of the message
 * @param test it is made up, by TestRelayEndpoint
 * @param json the row, members that are new included
 */
public record CallbackRow(
        String eventId,
        String msgId,
        String registrationId,
        String status,
        int step,
        String variant,
        Instant time,
        String from,
        String channel,
        Value customArgs,
        int errorCode,
        String errorMessage,
        String lossSource,
        String upstreamId,
        boolean test,
        String json) {
}
