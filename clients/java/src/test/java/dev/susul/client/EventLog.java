package dev.susul.client;

import dev.susul.v1.CallbackServiceGrpc.CallbackServiceImplBase;
import dev.susul.v1.Event;
import dev.susul.v1.WatchEventsRequest;
import dev.susul.v1.WatchEventsResponse;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.function.Consumer;

/** A server's events: streams stand where a resume token says, and end as they are told to. */
final class EventLog extends CallbackServiceImplBase {
    /** What becomes of a stream that has brought so many events. */
    record End(int after, Consumer<StreamObserver<WatchEventsResponse>> how) { }

    /** The stream stays open. */
    static final Consumer<StreamObserver<WatchEventsResponse>> WAIT = stream -> { };

    private final int last;
    private final List<End> ends;
    private final List<WatchEventsRequest> requests = new ArrayList<>();
    private final BlockingQueue<String> left = new LinkedBlockingQueue<>();

    /** The ends are those of each stream in turn; the last is for all that follow. */
    EventLog(int last, End... ends) {
        this.last = last;
        this.ends = List.of(ends);
    }

    @Override
    public void watchEvents(WatchEventsRequest request, StreamObserver<WatchEventsResponse> answers) {
        ((ServerCallStreamObserver<WatchEventsResponse>) answers).setOnCancelHandler(() -> left.add(request.getResumeToken()));
        End end;
        synchronized (this) {
            end = ends.get(Math.min(requests.size(), ends.size() - 1));
            requests.add(request);
        }
        int from = Integer.parseInt("0" + request.getResumeToken());
        answers.onNext(WatchEventsResponse.newBuilder().setResumeToken(Integer.toString(from)).build());
        for (int sequence = from + 1; sequence <= Math.min(from + end.after, last); sequence++) {
            Event event = Event.newBuilder().setSequence(sequence).build();
            answers.onNext(WatchEventsResponse.newBuilder().setEvent(event).setResumeToken(Integer.toString(sequence)).build());
        }
        end.how.accept(answers);
    }

    synchronized List<WatchEventsRequest> requests() {
        return List.copyOf(requests);
    }

    /** Waits until a client left a stream. */
    void awaitLeft() throws InterruptedException {
        left.take();
    }
}
