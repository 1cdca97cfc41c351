package dev.susul.client;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.Context;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.StatusException;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.BlockingClientCall;
import io.grpc.stub.ClientCalls;
import java.time.Duration;
import java.util.Iterator;
import java.util.concurrent.TimeUnit;

/** Makes the services' calls, and turns their errors into SusulExceptions. */
final class Calls {
    private final Channel channel;
    private final Duration timeout; // null: the channel's own

    Calls(Channel channel) {
        this(channel, null);
    }

    private Calls(Channel channel, Duration timeout) {
        this.channel = channel;
        this.timeout = timeout;
    }

    Calls withTimeout(Duration timeout) {
        if (timeout.isNegative() || timeout.isZero()) {
            throw new IllegalArgumentException("a call needs some time");
        }
        return new Calls(channel, timeout);
    }

    <Q, R> R unary(MethodDescriptor<Q, R> method, Q request) {
        try {
            return ClientCalls.blockingUnaryCall(channel, method, options(), request);
        } catch (StatusRuntimeException e) {
            throw SusulException.of(e);
        }
    }

    <Q, R> AnswerStream<R> serverStream(MethodDescriptor<Q, R> method, Q request) {
        Context.CancellableContext context = Context.current().withCancellation();
        Context previous = context.attach();
        try {
            return new AnswerStream<>(context, ClientCalls.blockingServerStreamingCall(channel, method, options(), request));
        } finally {
            context.detach(previous);
        }
    }

    <Q, R> R clientStream(MethodDescriptor<Q, R> method, Iterable<Q> requests) {
        BlockingClientCall<Q, R> call = ClientCalls.blockingClientStreamingCall(channel, method, options());
        try {
            Iterator<Q> rest = requests.iterator();
            while (rest.hasNext() && call.write(rest.next())) { }
            call.halfClose();
            return call.read();
        } catch (StatusException e) {
            throw SusulException.of(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw SusulException.of(Status.CANCELLED.withDescription("interrupted").withCause(e).asException());
        } finally {
            call.cancel("it is over", null); // where the caller's own iterator failed, too
        }
    }

    private CallOptions options() {
        CallOptions options = CallOptions.DEFAULT;
        return timeout == null ? options : options.withDeadlineAfter(timeout.toNanos(), TimeUnit.NANOSECONDS);
    }
}
