package dev.susul.client;

import dev.susul.v1.CallbackServiceGrpc;
import dev.susul.v1.WatchEventsRequest;
import dev.susul.v1.WatchEventsResponse;
import io.grpc.Context;
import io.grpc.Status;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/**
 * An app's events, as they are stored. Whatever ends its stream, another is begun after the last answer that was handed out, at
 * growing intervals of up to 10 s or as the server advises. One thread at a time may read; any may close.
 */
public final class EventWatch implements Iterator<WatchEventsResponse>, Iterable<WatchEventsResponse>, AutoCloseable {
    /** Errors that come again however often a watch is begun. */
    private static final Set<Status.Code> PERMANENT = Set.of(
            Status.Code.INVALID_ARGUMENT, Status.Code.UNAUTHENTICATED, Status.Code.PERMISSION_DENIED, Status.Code.NOT_FOUND,
            Status.Code.FAILED_PRECONDITION, Status.Code.OUT_OF_RANGE, Status.Code.UNIMPLEMENTED);
    private static final Duration FIRST_DELAY = Duration.ofMillis(100);
    private static final Duration LONGEST_DELAY = Duration.ofSeconds(10);
    private static final Logger LOG = System.getLogger(EventWatch.class.getName());

    private final Calls calls;
    private final Runnable reconnect;
    private final Consumer<EventWatch> onClose;
    private final CountDownLatch closed = new CountDownLatch(1);

    private WatchEventsRequest request; // has the resume token of the last answer that was handed out
    private AnswerStream<WatchEventsResponse> stream; // guarded by this, for close
    private WatchEventsResponse next;
    private int answers; // of the stream
    private Duration delay = FIRST_DELAY;

    EventWatch(Calls calls, WatchEventsRequest request, Runnable reconnect, Consumer<EventWatch> onClose) {
        this.calls = calls;
        this.request = request;
        this.reconnect = reconnect;
        this.onClose = onClose;
    }

    /**
     * Waits for an answer.
     *
     * @return false when the watch is closed
     * @throws SusulException if an error ends the watch that no retry cures, or this thread is interrupted
     */
    @Override
    public boolean hasNext() {
        while (next == null && open()) {
            try {
                if (stream.hasNext()) {
                    next = stream.next();
                    if (++answers > 1) { // the first comes from any stream that can be begun
                        delay = FIRST_DELAY;
                    }
                } else {
                    pause(Optional.empty());
                }
            } catch (SusulException e) {
                boolean unwanted = Thread.currentThread().isInterrupted() || Context.current().isCancelled();
                if (PERMANENT.contains(e.code()) || (unwanted && e.code() == Status.Code.CANCELLED)) {
                    close();
                    throw e;
                }
                pause(Optional.of(e));
            }
        }
        return next != null && !isClosed();
    }

    @Override
    public WatchEventsResponse next() {
        if (!hasNext()) {
            throw new NoSuchElementException();
        }
        WatchEventsResponse answer = next;
        next = null;
        if (!answer.getResumeToken().isEmpty()) {
            request = request.toBuilder().setResumeToken(answer.getResumeToken()).build();
        }
        return answer;
    }

    /**
     * Returns the watch itself, for a loop.
     *
     * @return this
     */
    @Override
    public Iterator<WatchEventsResponse> iterator() {
        return this;
    }

    /** Ends the watch. Who waits for an answer is told that there is none. */
    @Override
    public void close() {
        closed.countDown();
        synchronized (this) {
            if (stream != null) {
                stream.close();
            }
        }
        onClose.accept(this);
    }

    private boolean isClosed() {
        return closed.getCount() == 0;
    }

    /** Begins a stream if there is none; false when the watch is closed. */
    private synchronized boolean open() {
        if (isClosed()) {
            return false;
        }
        if (stream == null) {
            reconnect.run(); // a connection that failed would wait for up to two minutes to be tried again
            stream = calls.serverStream(CallbackServiceGrpc.getWatchEventsMethod(), request);
            answers = 0;
        }
        return true;
    }

    /** Waits before another stream is begun. */
    private void pause(Optional<SusulException> error) {
        synchronized (this) {
            stream = null;
        }
        double jitter = ThreadLocalRandom.current().nextDouble(0.5, 1);
        Duration wait = error.flatMap(SusulException::retryAfter).orElse(Duration.ofNanos((long) (delay.toNanos() * jitter)));
        delay = delay.multipliedBy(2).compareTo(LONGEST_DELAY) < 0 ? delay.multipliedBy(2) : LONGEST_DELAY;
        try {
            if (!closed.await(wait.toNanos(), TimeUnit.NANOSECONDS)) {
                LOG.log(Level.DEBUG, () -> "a watch goes on: " + error.map(Throwable::getMessage).orElse("its stream ended"));
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            close();
            throw SusulException.of(Status.CANCELLED.withDescription("interrupted").withCause(e).asException());
        }
    }
}
