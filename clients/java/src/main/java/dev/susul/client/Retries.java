package dev.susul.client;

import com.google.rpc.Code;
import com.google.rpc.Status;
import dev.susul.v1.CallbackServiceGrpc;
import dev.susul.v1.DeviceServiceGrpc;
import dev.susul.v1.PushServiceGrpc;
import dev.susul.v1.RelayServiceGrpc;
import dev.susul.v1.ResendPolicyServiceGrpc;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.ClientStreamTracer;
import io.grpc.Deadline;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.ServiceDescriptor;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * Repeats calls that do no harm when they are repeated. gRPC does it, by the channel's service config: after UNAVAILABLE, with
 * growing delays. The server's own advice, which RESOURCE_EXHAUSTED is repeated by too, is in its errors' RetryInfo; it is
 * translated into the header that gRPC heeds.
 */
final class Retries implements ClientInterceptor {
    /** Calls besides Get… and List… that change nothing more when they are repeated. */
    private static final Set<MethodDescriptor<?, ?>> REPEATABLE = Set.of(
            PushServiceGrpc.getCreatePushMethod(), // by its request_id
            PushServiceGrpc.getValidatePushMethod(),
            CallbackServiceGrpc.getReportCallbacksMethod(),
            CallbackServiceGrpc.getExplainRecipientMethod(),
            DeviceServiceGrpc.getSetDevicesMethod(),
            DeviceServiceGrpc.getReviveDevicesMethod(),
            RelayServiceGrpc.getPauseRelayEndpointMethod(),
            RelayServiceGrpc.getResumeRelayEndpointMethod(),
            ResendPolicyServiceGrpc.getPreviewResendPolicyMethod(),
            ResendPolicyServiceGrpc.getBacktestResendPolicyMethod(),
            ResendPolicyServiceGrpc.getUpdateFollowUpSwitchMethod());

    private static final int CALLS_THAT_ARE_KEPT = 8;

    static void configure(ManagedChannelBuilder<?> builder, int largestMessage) {
        builder.disableServiceConfigLookUp().defaultServiceConfig(serviceConfig()).enableRetry();
        // gRPC gives up repeating what it could not keep until the answer came; a message has a few bytes around it.
        builder.perRpcBufferLimit(largestMessage + 1024L).retryBufferSize((long) CALLS_THAT_ARE_KEPT * largestMessage);
    }

    private static Map<String, Object> serviceConfig() {
        List<Map<String, String>> names = Stream.of(
                        PushServiceGrpc.getServiceDescriptor(), CallbackServiceGrpc.getServiceDescriptor(),
                        DeviceServiceGrpc.getServiceDescriptor(), RelayServiceGrpc.getServiceDescriptor(),
                        ResendPolicyServiceGrpc.getServiceDescriptor())
                .map(ServiceDescriptor::getMethods)
                .flatMap(methods -> methods.stream().filter(Retries::mayRepeat))
                .map(method -> Map.of("service", method.getServiceName(), "method", method.getBareMethodName()))
                .toList();
        Map<String, Object> policy = Map.of(
                "maxAttempts", 4.0,
                "initialBackoff", "0.1s",
                "backoffMultiplier", 2.0,
                "maxBackoff", "2s",
                "retryableStatusCodes", List.of("UNAVAILABLE"));
        return Map.of("methodConfig", List.of(Map.of("name", names, "retryPolicy", policy)));
    }

    private static boolean mayRepeat(MethodDescriptor<?, ?> method) {
        String name = method.getBareMethodName();
        return name.startsWith("Get") || name.startsWith("List") || REPEATABLE.contains(method);
    }

    @Override
    public <Q, R> ClientCall<Q, R> interceptCall(MethodDescriptor<Q, R> method, CallOptions options, Channel next) {
        return next.newCall(method, mayRepeat(method) ? options.withStreamTracerFactory(new Translators()) : options);
    }

    private static final class Translators extends ClientStreamTracer.Factory {
        @Override
        public ClientStreamTracer newClientStreamTracer(ClientStreamTracer.StreamInfo stream, Metadata headers) {
            return new Translator(stream.getCallOptions().getDeadline());
        }
    }

    /** Reads how an attempt ended, before gRPC decides about another one. */
    private static final class Translator extends ClientStreamTracer {
        private static final Metadata.Key<String> PUSHBACK =
                Metadata.Key.of("grpc-retry-pushback-ms", Metadata.ASCII_STRING_MARSHALLER);
        private static final String NEVER = "-1";
        private static final Set<Integer> ADVISED = Set.of(Code.UNAVAILABLE_VALUE, Code.RESOURCE_EXHAUSTED_VALUE);

        private final Deadline deadline;

        Translator(Deadline deadline) {
            this.deadline = deadline;
        }

        @Override
        public void inboundTrailers(Metadata trailers) {
            Status status = trailers.get(ErrorDetails.STATUS);
            if (status == null || !ADVISED.contains(status.getCode())) {
                return;
            }
            ErrorDetails.retryDelay(status).ifPresent(advised -> {
                long millis = advised.plus(jitter(advised)).toMillis();
                boolean late = deadline != null && deadline.timeRemaining(TimeUnit.MILLISECONDS) <= millis;
                trailers.put(PUSHBACK, late ? NEVER : Long.toString(millis));
            });
        }

        /** Callers that were sent away together do not come back together. */
        private static Duration jitter(Duration delay) {
            return Duration.ofNanos(ThreadLocalRandom.current().nextLong(delay.toNanos() / 10 + 1));
        }
    }
}
