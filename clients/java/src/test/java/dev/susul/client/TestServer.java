package dev.susul.client;

import com.google.protobuf.Any;
import com.google.protobuf.Duration;
import com.google.protobuf.Message;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import io.grpc.BindableService;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.inprocess.InProcessChannelBuilder;
import io.grpc.inprocess.InProcessServerBuilder;
import io.grpc.protobuf.StatusProto;
import java.io.IOException;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CopyOnWriteArrayList;

/** A gRPC server in the test's own process. */
final class TestServer implements AutoCloseable {
    /** What Authorization headers calls had. */
    final List<String> authorizations = new CopyOnWriteArrayList<>();

    private final String name = UUID.randomUUID().toString();
    private final Server server;

    TestServer(BindableService... services) throws IOException {
        InProcessServerBuilder builder = InProcessServerBuilder.forName(name);
        for (BindableService service : services) {
            builder.addService(service);
        }
        server = builder.intercept(new Recorder()).build().start();
    }

    Susul.Connector connect() {
        return Susul.connect(InProcessChannelBuilder.forName(name));
    }

    @Override
    public void close() {
        server.shutdownNow();
    }

    /** What an error carries beside its code and reason. */
    static StatusRuntimeException error(Status.Code code, String reason, Message... details) {
        com.google.rpc.Status.Builder status = com.google.rpc.Status.newBuilder()
                .setCode(code.value())
                .setMessage("text of " + reason)
                .addDetails(Any.pack(ErrorInfo.newBuilder().setDomain("susul.dev").setReason(reason).build()));
        for (Message detail : details) {
            status.addDetails(Any.pack(detail));
        }
        return StatusProto.toStatusRuntimeException(status.build());
    }

    static RetryInfo retryAfter(long millis) {
        Duration delay = Duration.newBuilder().setSeconds(millis / 1000).setNanos((int) (millis % 1000) * 1_000_000).build();
        return RetryInfo.newBuilder().setRetryDelay(delay).build();
    }

    static BadRequest faults(String... fields) {
        BadRequest.Builder faults = BadRequest.newBuilder();
        for (String field : fields) {
            faults.addFieldViolationsBuilder().setField(field).setDescription(field + " is wrong");
        }
        return faults.build();
    }

    private final class Recorder implements ServerInterceptor {
        @Override
        public <Q, R> ServerCall.Listener<Q> interceptCall(
                ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
            authorizations.add(headers.get(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER)));
            return next.startCall(call, headers);
        }
    }
}
