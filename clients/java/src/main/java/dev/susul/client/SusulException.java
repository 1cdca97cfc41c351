package dev.susul.client;

import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import dev.susul.v1.ErrorReason;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusException;
import io.grpc.StatusRuntimeException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Why a call failed. Branch on {@link #reason}, or on {@link #code} where there is none; the message is for people and may
 * change.
 */
@SuppressWarnings("serial") // no more can be serialized than of gRPC's own
public final class SusulException extends RuntimeException {
    private static final long serialVersionUID = 1;
    private static final String DOMAIN = "susul.dev";
    private static final String PREFIX = "ERROR_REASON_";

    private final Status.Code code;
    private final String reasonName;
    private final Map<String, String> metadata;
    private final List<FieldViolation> fieldViolations;
    private final Duration retryAfter;

    private SusulException(Status status, Metadata trailers, Throwable cause) {
        super(status.getCode() + (status.getDescription() == null ? "" : ": " + status.getDescription()), cause);
        com.google.rpc.Status details = trailers == null ? null : trailers.get(ErrorDetails.STATUS);
        if (details == null) {
            details = com.google.rpc.Status.getDefaultInstance();
        }
        ErrorInfo info = ErrorDetails.find(details, ErrorInfo.class)
                .filter(detail -> detail.getDomain().equals(DOMAIN))
                .findFirst()
                .orElse(ErrorInfo.getDefaultInstance());
        code = status.getCode();
        reasonName = info.getReason();
        metadata = Map.copyOf(info.getMetadataMap());
        fieldViolations = ErrorDetails.find(details, BadRequest.class)
                .flatMap(detail -> detail.getFieldViolationsList().stream())
                .map(violation -> new FieldViolation(violation.getField(), violation.getDescription()))
                .toList();
        retryAfter = ErrorDetails.retryDelay(details).orElse(null);
    }

    /**
     * Reads an error of a stub of gRPC's own.
     *
     * @param error the error
     * @return what it says
     */
    public static SusulException of(StatusRuntimeException error) {
        return new SusulException(error.getStatus(), error.getTrailers(), error);
    }

    /**
     * Reads an error of a stub of gRPC's own.
     *
     * @param error the error
     * @return what it says
     */
    public static SusulException of(StatusException error) {
        return new SusulException(error.getStatus(), error.getTrailers(), error);
    }

    /**
     * Returns gRPC's code. UNAVAILABLE also stands for a connection that broke, or could not be made.
     *
     * @return the code
     */
    public Status.Code code() {
        return code;
    }

    /**
     * Returns Susul's own reason.
     *
     * @return the reason; ERROR_REASON_UNSPECIFIED for errors that are not Susul's, such as the end of a deadline, and
     *     UNRECOGNIZED for one that a newer server has
     */
    public ErrorReason reason() {
        if (reasonName.isEmpty()) {
            return ErrorReason.ERROR_REASON_UNSPECIFIED;
        }
        try {
            return ErrorReason.valueOf(PREFIX + reasonName);
        } catch (IllegalArgumentException e) {
            return ErrorReason.UNRECOGNIZED;
        }
    }

    /**
     * Returns the reason's name as it came, for example {@code NOT_FOUND}.
     *
     * @return the name; empty for errors that are not Susul's
     */
    public String reasonName() {
        return reasonName;
    }

    /**
     * Returns what goes with the reason, for example {@code resource} with NOT_FOUND.
     *
     * @return names and values
     */
    public Map<String, String> metadata() {
        return metadata;
    }

    /**
     * Returns all faults of the request's fields.
     *
     * @return the faults
     */
    public List<FieldViolation> fieldViolations() {
        return fieldViolations;
    }

    /**
     * Returns how long to wait before a retry.
     *
     * @return the time; empty where none is advised
     */
    public Optional<Duration> retryAfter() {
        return Optional.ofNullable(retryAfter);
    }

    /**
     * What is wrong with one field of a request.
     *
     * @param field the field's path in the request, for example {@code push.options.big_push_duration}
     * @param description what is wrong with it, for people
     */
    public record FieldViolation(String field, String description) { }
}
