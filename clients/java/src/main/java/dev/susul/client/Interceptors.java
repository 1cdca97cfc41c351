package dev.susul.client;

import com.google.protobuf.Struct;
import dev.susul.v1.CreatePushRequest;
import dev.susul.v1.Push;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.ClientInterceptors;
import io.grpc.ForwardingClientCall.SimpleForwardingClientCall;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.stub.MetadataUtils;
import java.time.Duration;
import java.util.UUID;
import java.util.concurrent.TimeUnit;

/** What every call gets, whichever stub makes it. */
final class Interceptors {
    private static final Metadata.Key<String> AUTHORIZATION = Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);

    private Interceptors() { }

    static Channel intercept(Channel channel, String authorization, Duration timeout) {
        Metadata headers = new Metadata();
        headers.put(AUTHORIZATION, authorization);
        return ClientInterceptors.intercept(channel,
                MetadataUtils.newAttachHeadersInterceptor(headers), new Retries(), new RequestIds(), new Deadlines(timeout));
    }

    /** Gives calls that have no deadline one; streams may go on for ever. */
    private record Deadlines(Duration timeout) implements ClientInterceptor {
        @Override
        public <Q, R> ClientCall<Q, R> interceptCall(MethodDescriptor<Q, R> method, CallOptions options, Channel next) {
            boolean unlimited = options.getDeadline() == null && method.getType() == MethodType.UNARY;
            return next.newCall(method, unlimited ? options.withDeadlineAfter(timeout.toNanos(), TimeUnit.NANOSECONDS) : options);
        }
    }

    /** Gives pushes a request_id, by which the server knows a repetition: it is the same in all attempts of a call. */
    private static final class RequestIds implements ClientInterceptor {
        @Override
        public <Q, R> ClientCall<Q, R> interceptCall(MethodDescriptor<Q, R> method, CallOptions options, Channel next) {
            ClientCall<Q, R> call = next.newCall(method, options);
            if (method.getRequestMarshaller() instanceof MethodDescriptor.PrototypeMarshaller<Q> marshaller
                    && marshaller.getMessageClass() == CreatePushRequest.class) {
                return new SimpleForwardingClientCall<>(call) {
                    @Override
                    public void sendMessage(Q message) {
                        super.sendMessage(marshaller.getMessageClass().cast(identified((CreatePushRequest) message)));
                    }
                };
            }
            return call;
        }

        private static CreatePushRequest identified(CreatePushRequest request) {
            Push push = request.getPush();
            if (!request.hasPush() || !push.getRequestId().isEmpty() || hasCid(push.getAdditional())) {
                return request;
            }
            CreatePushRequest.Builder identified = request.toBuilder();
            identified.getPushBuilder().setRequestId(UUID.randomUUID().toString());
            return identified.build();
        }

        /** EngageLab's own {@code cid} keeps a repetition from being sent twice as well. */
        private static boolean hasCid(Struct additional) {
            return additional.getFieldsMap().containsKey("options")
                    && additional.getFieldsMap().get("options").getStructValue().containsFields("cid");
        }
    }
}
