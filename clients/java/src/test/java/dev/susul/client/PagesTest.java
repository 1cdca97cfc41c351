package dev.susul.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.susul.v1.ListPushesRequest;
import dev.susul.v1.ListPushesResponse;
import dev.susul.v1.Push;
import dev.susul.v1.PushServiceGrpc.PushServiceImplBase;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(30)
class PagesTest {
    private static final ListPushesRequest REQUEST = ListPushesRequest.newBuilder().setParent("apps/demo").setPageSize(2).build();

    /** Pages of two, of which the second is empty; the token "4" is refused. */
    private static final class Pushes extends PushServiceImplBase {
        final List<String> tokens = new CopyOnWriteArrayList<>();

        @Override
        public void listPushes(ListPushesRequest request, StreamObserver<ListPushesResponse> answers) {
            tokens.add(request.getPageToken());
            ListPushesResponse.Builder page = ListPushesResponse.newBuilder();
            switch (request.getPageToken()) {
                case "" -> page.addPushes(push("1")).addPushes(push("2")).setNextPageToken("2");
                case "2" -> page.setNextPageToken("3");
                case "3" -> page.addPushes(push("3"));
                default -> {
                    answers.onError(TestServer.error(Status.Code.INVALID_ARGUMENT, "INVALID_REQUEST"));
                    return;
                }
            }
            answers.onNext(page.build());
            answers.onCompleted();
        }

        private static Push push(String msgId) {
            return Push.newBuilder().setMsgId(msgId).build();
        }
    }

    @Test
    void allPagesAreGoneThroughAsTheyAreNeeded() throws Exception {
        Pushes pushes = new Pushes();
        try (TestServer server = new TestServer(pushes); Susul susul = server.connect().app("demo", "secret")) {
            Pages<Push> all = susul.pushes().allPushes(REQUEST);
            assertEquals(List.of(), pushes.tokens);
            assertEquals(List.of("1", "2"), all.stream().map(Push::getMsgId).limit(2).toList());
            assertEquals(List.of(""), pushes.tokens);
            List<String> seen = new ArrayList<>();
            for (Push push : all) {
                seen.add(push.getMsgId());
            }
            assertEquals(List.of("1", "2", "3"), seen);
            assertEquals(List.of("", "", "2", "3"), pushes.tokens);
            Iterator<Push> from = susul.pushes().allPushes(REQUEST.toBuilder().setPageToken("3").build()).iterator();
            assertEquals("3", from.next().getMsgId());
            assertThrows(NoSuchElementException.class, from::next);
            Iterator<Push> wrong = susul.pushes().allPushes(REQUEST.toBuilder().setPageToken("4").build()).iterator();
            assertThrows(SusulException.class, wrong::hasNext);
        }
    }
}
