package dev.susul.client;

import static dev.susul.client.TestServer.error;
import static dev.susul.client.TestServer.faults;
import static dev.susul.client.TestServer.retryAfter;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.rpc.ErrorInfo;
import dev.susul.client.SusulException.FieldViolation;
import dev.susul.v1.CreatePushRequest;
import dev.susul.v1.CreatePushResponse;
import dev.susul.v1.DeviceServiceGrpc.DeviceServiceImplBase;
import dev.susul.v1.ErrorReason;
import dev.susul.v1.GetPushRequest;
import dev.susul.v1.GetPushResponse;
import dev.susul.v1.ImportDevicesRequest;
import dev.susul.v1.ImportDevicesResponse;
import dev.susul.v1.ListPushesRequest;
import dev.susul.v1.ListPushesResponse;
import dev.susul.v1.Push;
import dev.susul.v1.PushServiceGrpc;
import dev.susul.v1.PushServiceGrpc.PushServiceImplBase;
import dev.susul.v1.ResendPolicyServiceGrpc.ResendPolicyServiceImplBase;
import dev.susul.v1.ValidatePushRequest;
import dev.susul.v1.ValidatePushResponse;
import dev.susul.v1.WatchResendPoliciesRequest;
import dev.susul.v1.WatchResendPoliciesResponse;
import dev.susul.v1.WithdrawPushRequest;
import dev.susul.v1.WithdrawPushResponse;
import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.StreamObserver;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(30)
class CallsTest {
    private static final String PARENT = "apps/demo";
    private static final GetPushRequest GET = GetPushRequest.newBuilder().setName("apps/demo/pushes/1").build();
    private static final ListPushesRequest LIST = ListPushesRequest.newBuilder().setParent(PARENT).build();
    private static final WithdrawPushRequest WITHDRAW = WithdrawPushRequest.newBuilder().setName("apps/demo/pushes/1").build();

    /** Pushes of a server that fails as often as it is told to. */
    private static class Pushes extends PushServiceImplBase {
        final List<Deadline> deadlines = new CopyOnWriteArrayList<>();
        final List<Push> pushes = new CopyOnWriteArrayList<>();
        private int calls;
        private int failures;
        private StatusRuntimeException failure;

        final synchronized <R> void answer(StreamObserver<R> answers, R answer) {
            deadlines.add(Optional.ofNullable(Context.current().getDeadline()).orElse(Deadline.after(1, TimeUnit.DAYS)));
            if (++calls <= failures) {
                answers.onError(failure);
                return;
            }
            answers.onNext(answer);
            answers.onCompleted();
        }

        synchronized int calls() {
            return calls;
        }

        synchronized void fail(int times, StatusRuntimeException error) {
            calls = 0;
            failures = times;
            failure = error;
        }

        @Override
        public void getPush(GetPushRequest request, StreamObserver<GetPushResponse> answers) {
            answer(answers, GetPushResponse.getDefaultInstance());
        }

        @Override
        public void listPushes(ListPushesRequest request, StreamObserver<ListPushesResponse> answers) {
            answer(answers, ListPushesResponse.getDefaultInstance());
        }

        @Override
        public void createPush(CreatePushRequest request, StreamObserver<CreatePushResponse> answers) {
            pushes.add(request.getPush());
            answer(answers, CreatePushResponse.newBuilder().setPush(request.getPush()).build());
        }

        @Override
        public void validatePush(ValidatePushRequest request, StreamObserver<ValidatePushResponse> answers) {
            answer(answers, ValidatePushResponse.getDefaultInstance());
        }

        @Override
        public void withdrawPush(WithdrawPushRequest request, StreamObserver<WithdrawPushResponse> answers) {
            answer(answers, WithdrawPushResponse.getDefaultInstance());
        }
    }

    @Test
    void callsHaveTheirCallersCredentials() throws Exception {
        try (TestServer server = new TestServer(new Pushes());
                Susul app = server.connect().app("demo", "sécret");
                Susul admin = server.connect().admin("a-token")) {
            app.pushes().getPush(GET);
            admin.pushes().getPush(GET);
            PushServiceGrpc.newFutureStub(admin.channel()).getPush(GET).get();
            assertEquals(List.of("Basic ZGVtbzpzw6ljcmV0", "Bearer a-token", "Bearer a-token"), server.authorizations);
        }
        Susul.Connector connector = Susul.connect("127.0.0.1:1");
        assertThrows(IllegalArgumentException.class, () -> connector.app("", "secret"));
        assertThrows(IllegalArgumentException.class, () -> connector.app("demo", ""));
        assertThrows(IllegalArgumentException.class, () -> connector.admin(""));
    }

    @Test
    void errorsCarryWhatTheServerSays() throws Exception {
        Pushes pushes = new Pushes();
        try (TestServer server = new TestServer(pushes); Susul susul = server.connect().app("demo", "secret")) {
            pushes.fail(1, error(Status.Code.INVALID_ARGUMENT, "INVALID_REQUEST", faults("push.audience", "push.options")));
            SusulException invalid = assertThrows(SusulException.class, () -> susul.pushes().getPush(GET));
            assertEquals(Status.Code.INVALID_ARGUMENT, invalid.code());
            assertEquals(ErrorReason.ERROR_REASON_INVALID_REQUEST, invalid.reason());
            assertEquals("INVALID_REQUEST", invalid.reasonName());
            assertEquals("INVALID_ARGUMENT: text of INVALID_REQUEST", invalid.getMessage());
            assertEquals(List.of(new FieldViolation("push.audience", "push.audience is wrong"),
                    new FieldViolation("push.options", "push.options is wrong")), invalid.fieldViolations());
            assertEquals(Optional.empty(), invalid.retryAfter());

            ErrorInfo info =
                    ErrorInfo.newBuilder().setDomain("susul.dev").setReason("NEWER").putMetadata("resource", "r").build();
            ErrorInfo others = ErrorInfo.newBuilder().setDomain("example.com").setReason("NOT_OURS").build();
            pushes.fail(1, StatusProto.toStatusRuntimeException(com.google.rpc.Status.newBuilder()
                    .setCode(Status.Code.NOT_FOUND.value())
                    .addDetails(Any.newBuilder().setTypeUrl("type.googleapis.com/google.rpc.ErrorInfo")
                            .setValue(ByteString.copyFromUtf8("no message")))
                    .addDetails(Any.pack(others))
                    .addDetails(Any.pack(retryAfter(1500)))
                    .addDetails(Any.pack(info))
                    .build()));
            SusulException newer = assertThrows(SusulException.class, () -> susul.pushes().getPush(GET));
            assertEquals(ErrorReason.UNRECOGNIZED, newer.reason());
            assertEquals("NEWER", newer.reasonName());
            assertEquals(Map.of("resource", "r"), newer.metadata());
            assertEquals(Optional.of(Duration.ofMillis(1500)), newer.retryAfter());

            pushes.fail(1, Status.INTERNAL.asRuntimeException());
            SusulException bare = assertThrows(SusulException.class, () -> susul.pushes().getPush(GET));
            assertEquals(Status.Code.INTERNAL, bare.code());
            assertEquals(ErrorReason.ERROR_REASON_UNSPECIFIED, bare.reason());
            assertEquals(Map.of(), bare.metadata());

            pushes.fail(1, error(Status.Code.NOT_FOUND, "NOT_FOUND"));
            ExecutionException thrown = assertThrows(ExecutionException.class,
                    () -> PushServiceGrpc.newFutureStub(susul.channel()).getPush(GET).get());
            assertEquals(ErrorReason.ERROR_REASON_NOT_FOUND,
                    SusulException.of((StatusRuntimeException) thrown.getCause()).reason());
        }
    }

    @Test
    void whatDoesNoHarmIsRepeated() throws Exception {
        Pushes pushes = new Pushes();
        try (TestServer server = new TestServer(pushes); Susul susul = server.connect().app("demo", "secret")) {
            StatusRuntimeException standby = error(Status.Code.UNAVAILABLE, "STANDBY", retryAfter(1));
            for (Runnable call : List.<Runnable>of(
                    () -> susul.pushes().getPush(GET), () -> susul.pushes().listPushes(LIST),
                    () -> susul.pushes().createPush(CreatePushRequest.getDefaultInstance()),
                    () -> susul.pushes().validatePush(ValidatePushRequest.getDefaultInstance()))) {
                pushes.fail(3, standby);
                call.run();
                assertEquals(4, pushes.calls());
                pushes.fail(4, standby);
                assertEquals(ErrorReason.ERROR_REASON_STANDBY, assertThrows(SusulException.class, call::run).reason());
                assertEquals(4, pushes.calls());
            }
            pushes.fail(4, standby);
            assertThrows(SusulException.class, () -> susul.pushes().withdrawPush(WITHDRAW));
            assertEquals(1, pushes.calls());
        }
    }

    @Test
    void onlyWhatARetryCanCureIsRepeated() throws Exception {
        Pushes pushes = new Pushes();
        try (TestServer server = new TestServer(pushes); Susul susul = server.connect().app("demo", "secret")) {
            Map<StatusRuntimeException, Integer> attempts = Map.of(
                    Status.UNAVAILABLE.asRuntimeException(), 4,
                    error(Status.Code.RESOURCE_EXHAUSTED, "OVERLOADED", retryAfter(5)), 4,
                    error(Status.Code.RESOURCE_EXHAUSTED, "OVERLOADED"), 1,
                    Status.RESOURCE_EXHAUSTED.asRuntimeException(), 1,
                    error(Status.Code.ABORTED, "ETAG_MISMATCH", retryAfter(5)), 1,
                    error(Status.Code.INTERNAL, "INTERNAL"), 1,
                    Status.CANCELLED.asRuntimeException(), 1);
            attempts.forEach((failure, wanted) -> {
                pushes.fail(10, failure);
                assertEquals(failure.getStatus().getCode(),
                        assertThrows(SusulException.class, () -> susul.pushes().getPush(GET)).code());
                assertEquals(wanted, pushes.calls(), failure.toString());
            });
        }
    }

    @Test
    void aPushGetsARequestIdTheSameForEveryAttempt() throws Exception {
        Pushes pushes = new Pushes();
        try (TestServer server = new TestServer(pushes); Susul susul = server.connect().app("demo", "secret")) {
            CreatePushRequest request = CreatePushRequest.newBuilder().setPush(Push.newBuilder().setFrom("news")).build();
            pushes.fail(1, error(Status.Code.UNAVAILABLE, "STANDBY", retryAfter(1)));
            String id = susul.pushes().createPush(request).getPush().getRequestId();
            assertTrue(id.matches("[0-9a-f-]{36}"), id);
            assertEquals(List.of(id, id), pushes.pushes.stream().map(Push::getRequestId).toList());
            assertNotEquals(id, susul.pushes().createPush(request).getPush().getRequestId());
            Push mine = Push.newBuilder().setRequestId("mine").build();
            Push cid = Push.newBuilder().setAdditional(Json.object(Map.of("options", Map.of("cid", "c")))).build();
            Push others = Push.newBuilder().setAdditional(Json.object(Map.of("options", Map.of("ttl", 1)))).build();
            assertEquals(mine, susul.pushes().createPush(CreatePushRequest.newBuilder().setPush(mine).build()).getPush());
            assertEquals(cid, susul.pushes().createPush(CreatePushRequest.newBuilder().setPush(cid).build()).getPush());
            assertNotEquals(others, susul.pushes().createPush(CreatePushRequest.newBuilder().setPush(others).build()).getPush());
            CreatePushRequest none = CreatePushRequest.newBuilder().setParent(PARENT).build();
            assertEquals(Push.getDefaultInstance(), susul.pushes().createPush(none).getPush());
            CreatePushResponse future = PushServiceGrpc.newFutureStub(susul.channel()).createPush(request).get();
            assertEquals(36, future.getPush().getRequestId().length());
        }
    }

    @Test
    void callsHaveATimeThatTheirAttemptsShare() throws Exception {
        Pushes pushes = new Pushes();
        try (TestServer server = new TestServer(pushes);
                Susul susul = server.connect().app("demo", "secret");
                Susul hasty = server.connect().timeout(Duration.ofSeconds(5)).app("demo", "secret")) {
            susul.pushes().withdrawPush(WITHDRAW);
            hasty.pushes().withdrawPush(WITHDRAW);
            susul.pushes().withTimeout(Duration.ofMinutes(2)).withdrawPush(WITHDRAW);
            List<Long> seconds = pushes.deadlines.stream().map(end -> end.timeRemaining(TimeUnit.SECONDS)).toList();
            assertTrue(seconds.get(0) > 20 && seconds.get(0) <= 30, seconds.toString());
            assertTrue(seconds.get(1) <= 5, seconds.toString());
            assertTrue(seconds.get(2) > 100, seconds.toString());

            // A third attempt would begin after the end: the error is told at once.
            pushes.deadlines.clear();
            pushes.fail(10, error(Status.Code.UNAVAILABLE, "STANDBY", retryAfter(1600)));
            SusulException late = assertThrows(SusulException.class,
                    () -> susul.pushes().withTimeout(Duration.ofSeconds(3)).getPush(GET));
            assertEquals(ErrorReason.ERROR_REASON_STANDBY, late.reason());
            assertEquals(2, pushes.calls());
            assertTrue(pushes.deadlines.get(1).isBefore(Deadline.after(1400, TimeUnit.MILLISECONDS)));

            assertThrows(IllegalArgumentException.class, () -> susul.pushes().withTimeout(Duration.ZERO));
            assertThrows(IllegalArgumentException.class, () -> server.connect().timeout(Duration.ofSeconds(-1)));
        }
    }

    @Test
    void aCallEndsAtItsDeadlineOrWhenItsThreadIsInterrupted() throws Exception {
        CountDownLatch began = new CountDownLatch(2);
        PushServiceImplBase silent = new PushServiceImplBase() {
            @Override
            public void getPush(GetPushRequest request, StreamObserver<GetPushResponse> answers) {
                began.countDown();
            }
        };
        try (TestServer server = new TestServer(silent); Susul susul = server.connect().app("demo", "secret")) {
            SusulException late = assertThrows(SusulException.class,
                    () -> susul.pushes().withTimeout(Duration.ofMillis(50)).getPush(GET));
            assertEquals(Status.Code.DEADLINE_EXCEEDED, late.code());
            Thread caller = Thread.currentThread();
            new Thread(() -> {
                try {
                    began.await();
                } catch (InterruptedException e) {
                    throw new AssertionError(e);
                }
                caller.interrupt();
            }).start();
            assertEquals(Status.Code.CANCELLED, assertThrows(SusulException.class, () -> susul.pushes().getPush(GET)).code());
            assertTrue(Thread.interrupted());
        }
    }

    @Test
    void streamsGoUpAndDown() throws Exception {
        CountDownLatch cancelled = new CountDownLatch(1);
        DeviceServiceImplBase devices = new DeviceServiceImplBase() {
            @Override
            public StreamObserver<ImportDevicesRequest> importDevices(StreamObserver<ImportDevicesResponse> answers) {
                return new Counter(answers, new ArrayList<>(), cancelled);
            }
        };
        ResendPolicyServiceImplBase policies = new ResendPolicyServiceImplBase() {
            @Override
            public void watchResendPolicies(
                    WatchResendPoliciesRequest request, StreamObserver<WatchResendPoliciesResponse> answers) {
                answers.onNext(WatchResendPoliciesResponse.newBuilder().setRevision(1).build());
                answers.onNext(WatchResendPoliciesResponse.newBuilder().setRevision(2).build());
                answers.onError(error(Status.Code.UNAVAILABLE, "STANDBY"));
            }
        };
        try (TestServer server = new TestServer(devices, policies); Susul susul = server.connect().admin("a-token")) {
            ImportDevicesRequest one = ImportDevicesRequest.newBuilder().setParent(PARENT).build();
            Iterable<ImportDevicesRequest> many = Stream.generate(() -> one).limit(1000)::iterator;
            assertEquals(1000, susul.devices().importDevices(many).getDeviceCount());
            ImportDevicesRequest wrong = ImportDevicesRequest.newBuilder().setParent("wrong").build();
            SusulException refused = assertThrows(SusulException.class,
                    () -> susul.devices().importDevices(Stream.generate(() -> wrong)::iterator));
            assertEquals(ErrorReason.ERROR_REASON_INVALID_REQUEST, refused.reason());
            assertThrows(ArithmeticException.class, () -> susul.devices().importDevices(Stream.of(1, 0)
                    .map(i -> ImportDevicesRequest.newBuilder().setParent(PARENT + 1 / i).build())::iterator));
            cancelled.await();

            List<Long> revisions = new ArrayList<>();
            AnswerStream<WatchResendPoliciesResponse> changes =
                    susul.policies().watchResendPolicies(WatchResendPoliciesRequest.getDefaultInstance());
            SusulException broken = assertThrows(SusulException.class, () -> {
                for (WatchResendPoliciesResponse change : changes) {
                    revisions.add(change.getRevision());
                }
            });
            assertEquals(ErrorReason.ERROR_REASON_STANDBY, broken.reason());
            assertEquals(List.of(1L, 2L), revisions);
        }
    }

    /** Counts what is sent, and refuses what is wrong. */
    private record Counter(
            StreamObserver<ImportDevicesResponse> answers, List<ImportDevicesRequest> seen, CountDownLatch cancelled)
            implements StreamObserver<ImportDevicesRequest> {
        @Override
        public void onNext(ImportDevicesRequest request) {
            seen.add(request);
            if (request.getParent().equals("wrong") && seen.size() == 1) {
                answers.onError(error(Status.Code.INVALID_ARGUMENT, "INVALID_REQUEST"));
            }
        }

        @Override
        public void onError(Throwable error) {
            cancelled.countDown();
        }

        @Override
        public void onCompleted() {
            answers.onNext(ImportDevicesResponse.newBuilder().setDeviceCount(seen.size()).build());
            answers.onCompleted();
        }
    }
}
