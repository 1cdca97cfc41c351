package dev.susul.client;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.rpc.RetryInfo;
import com.google.rpc.Status;
import io.grpc.Metadata;
import io.grpc.protobuf.ProtoUtils;
import java.time.Duration;
import java.util.Optional;
import java.util.stream.Stream;

/** The messages that come with an error. */
final class ErrorDetails {
    static final Metadata.Key<Status> STATUS =
            Metadata.Key.of("grpc-status-details-bin", ProtoUtils.metadataMarshaller(Status.getDefaultInstance()));

    private ErrorDetails() { }

    /** Returns those of a type; what can't be read is left out: an error is not to hide behind another one. */
    static <M extends Message> Stream<M> find(Status status, Class<M> type) {
        return status.getDetailsList().stream().filter(detail -> detail.is(type)).flatMap(detail -> unpack(detail, type));
    }

    private static <M extends Message> Stream<M> unpack(Any detail, Class<M> type) {
        try {
            return Stream.of(detail.unpack(type));
        } catch (InvalidProtocolBufferException e) {
            return Stream.empty();
        }
    }

    static Optional<Duration> retryDelay(Status status) {
        return find(status, RetryInfo.class)
                .filter(RetryInfo::hasRetryDelay)
                .map(RetryInfo::getRetryDelay)
                .map(delay -> Duration.ofSeconds(delay.getSeconds(), delay.getNanos()))
                .filter(delay -> !delay.isNegative())
                .findFirst();
    }
}
