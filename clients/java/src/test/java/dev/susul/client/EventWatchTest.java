package dev.susul.client;

import static dev.susul.client.TestServer.error;
import static dev.susul.client.TestServer.retryAfter;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.susul.client.EventLog.End;
import dev.susul.v1.WatchEventsRequest;
import dev.susul.v1.WatchEventsResponse;
import io.grpc.Context;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.StreamObserver;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.function.Consumer;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class EventWatchTest {
    private static final WatchEventsRequest REQUEST =
            WatchEventsRequest.newBuilder().setParent("apps/demo").setFilter("true").build();

    private static Consumer<StreamObserver<WatchEventsResponse>> fail(StatusRuntimeException error) {
        return stream -> stream.onError(error);
    }

    private static WatchEventsRequest from(String token) {
        return REQUEST.toBuilder().setResumeToken(token).build();
    }

    /** Reads until so many events came. */
    private static List<Long> sequences(EventWatch watch, int count) {
        List<Long> sequences = new ArrayList<>();
        while (sequences.size() < count) {
            WatchEventsResponse answer = watch.next();
            if (answer.hasEvent()) {
                sequences.add(answer.getEvent().getSequence());
            }
        }
        return sequences;
    }

    private static List<Long> upTo(long last) {
        return LongStream.rangeClosed(1, last).boxed().toList();
    }

    @Test
    void aStreamThatEndsHoweverGoesOnWhereItStood() throws Exception {
        EventLog log = new EventLog(14,
                new End(3, fail(error(Status.Code.UNAVAILABLE, "STANDBY", retryAfter(5)))),
                new End(2, StreamObserver::onCompleted),
                new End(0, fail(Status.UNAVAILABLE.asRuntimeException())),
                new End(2, fail(error(Status.Code.RESOURCE_EXHAUSTED, "SLOW_CONSUMER"))),
                new End(1, fail(error(Status.Code.INTERNAL, "INTERNAL"))),
                new End(1, fail(Status.CANCELLED.asRuntimeException())),
                new End(1, fail(Status.UNKNOWN.asRuntimeException())),
                new End(10, EventLog.WAIT));
        try (TestServer server = new TestServer(log);
                Susul susul = server.connect().app("demo", "secret");
                EventWatch watch = susul.watchEvents(REQUEST)) {
            assertEquals(upTo(14), sequences(watch, 14));
            List<String> tokens = List.of("", "3", "5", "5", "7", "8", "9", "10");
            assertEquals(tokens.stream().map(EventWatchTest::from).toList(), log.requests());
        }
    }

    @Test
    void theServerSaysWhenToComeBack() throws Exception {
        Duration advised = Duration.ofMillis(400); // without, it would be a tenth of a second at most
        EventLog log = new EventLog(2,
                new End(1, fail(error(Status.Code.UNAVAILABLE, "STANDBY", retryAfter(advised.toMillis())))),
                new End(1, EventLog.WAIT));
        try (TestServer server = new TestServer(log);
                Susul susul = server.connect().app("demo", "secret");
                EventWatch watch = susul.watchEvents(REQUEST)) {
            long began = System.nanoTime();
            assertEquals(upTo(2), sequences(watch, 2));
            assertTrue(System.nanoTime() - began >= advised.toNanos());
        }
    }

    @Test
    void whatWasNotHandedOutComesAgain() throws Exception {
        EventLog log = new EventLog(5, new End(5, EventLog.WAIT));
        try (TestServer server = new TestServer(log); Susul susul = server.connect().app("demo", "secret")) {
            String token = "";
            try (EventWatch watch = susul.watchEvents(REQUEST)) {
                assertFalse(watch.next().hasEvent(), "the first answer comes at once");
                for (WatchEventsResponse answer : watch) {
                    if (answer.getEvent().getSequence() == 3) {
                        break;
                    }
                    token = answer.getResumeToken();
                }
            }
            try (EventWatch watch = susul.watchEvents(from(token))) {
                watch.next();
                assertEquals(3, watch.next().getEvent().getSequence());
            }
        }
    }

    @Test
    void anErrorThatNoRetryCuresEndsTheWatch() throws Exception {
        for (Status.Code code : List.of(Status.Code.INVALID_ARGUMENT, Status.Code.UNAUTHENTICATED, Status.Code.PERMISSION_DENIED,
                Status.Code.NOT_FOUND, Status.Code.FAILED_PRECONDITION, Status.Code.OUT_OF_RANGE, Status.Code.UNIMPLEMENTED)) {
            EventLog log = new EventLog(2, new End(2, fail(error(code, "INVALID_REQUEST"))));
            try (TestServer server = new TestServer(log);
                    Susul susul = server.connect().app("demo", "secret");
                    EventWatch watch = susul.watchEvents(REQUEST)) {
                assertEquals(upTo(2), sequences(watch, 2));
                assertEquals(code, assertThrows(SusulException.class, watch::hasNext).code());
                assertFalse(watch.hasNext());
                assertThrows(NoSuchElementException.class, watch::next);
                assertEquals(1, log.requests().size());
            }
        }
    }

    @Test
    void aWatchThatIsClosedEndsItsStream() throws Exception {
        EventLog log = new EventLog(2, new End(2, EventLog.WAIT));
        try (TestServer server = new TestServer(log); Susul susul = server.connect().app("demo", "secret")) {
            try (EventWatch watch = susul.watchEvents(REQUEST)) {
                sequences(watch, 1);
            }
            log.awaitLeft();

            EventWatch waiting = susul.watchEvents(REQUEST);
            sequences(waiting, 2);
            CompletableFuture<Boolean> more = CompletableFuture.supplyAsync(waiting::hasNext);
            waiting.close();
            assertFalse(more.get());
            log.awaitLeft();

            EventWatch last = susul.watchEvents(REQUEST);
            sequences(last, 2);
            CompletableFuture<Boolean> end = CompletableFuture.supplyAsync(last::hasNext);
            susul.close();
            assertFalse(end.get());
            assertFalse(susul.watchEvents(REQUEST).hasNext());
            assertEquals(3, log.requests().size());
        }
    }

    @Test
    void anAnswerThatIsThereIsNotHandedOutAfterTheEnd() throws Exception {
        EventLog log = new EventLog(2, new End(2, EventLog.WAIT));
        try (TestServer server = new TestServer(log); Susul susul = server.connect().app("demo", "secret")) {
            EventWatch watch = susul.watchEvents(REQUEST);
            assertTrue(watch.hasNext());
            assertTrue(watch.hasNext());
            watch.close();
            assertFalse(watch.hasNext());
        }
    }

    @Test
    void aWatchThatWaitsToGoOnCanBeClosed() throws Exception {
        CountDownLatch failed = new CountDownLatch(1);
        EventLog log = new EventLog(1, new End(1, stream -> {
            stream.onError(error(Status.Code.UNAVAILABLE, "STANDBY", retryAfter(600_000)));
            failed.countDown();
        }));
        try (TestServer server = new TestServer(log);
                Susul susul = server.connect().app("demo", "secret");
                EventWatch watch = susul.watchEvents(REQUEST)) {
            sequences(watch, 1);
            CompletableFuture<Boolean> more = CompletableFuture.supplyAsync(watch::hasNext);
            failed.await();
            watch.close();
            assertFalse(more.get());
        }
    }

    @Test
    void anInterruptionEndsTheWatch() throws Exception {
        for (End end : List.of(new End(1, EventLog.WAIT),
                new End(1, fail(error(Status.Code.UNAVAILABLE, "STANDBY", retryAfter(600_000)))))) {
            try (TestServer server = new TestServer(new EventLog(1, end));
                    Susul susul = server.connect().app("demo", "secret");
                    EventWatch watch = susul.watchEvents(REQUEST)) {
                sequences(watch, 1);
                Thread.currentThread().interrupt();
                SusulException interrupted = assertThrows(SusulException.class, watch::hasNext);
                assertTrue(Thread.interrupted());
                assertEquals(Status.Code.CANCELLED, interrupted.code());
                assertFalse(watch.hasNext());
            }
        }
    }

    @Test
    void theEndOfTheCallersContextEndsTheWatch() throws Exception {
        EventLog log = new EventLog(1, new End(1, EventLog.WAIT));
        try (TestServer server = new TestServer(log); Susul susul = server.connect().app("demo", "secret")) {
            Context.CancellableContext context = Context.current().withCancellation();
            context.run(() -> {
                EventWatch watch = susul.watchEvents(REQUEST);
                sequences(watch, 1);
                context.cancel(null);
                assertEquals(Status.Code.CANCELLED, assertThrows(SusulException.class, watch::hasNext).code());
            });
        }
    }
}
