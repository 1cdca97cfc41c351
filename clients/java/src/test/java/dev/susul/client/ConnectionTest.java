package dev.susul.client;

import static dev.susul.client.TestServer.error;
import static dev.susul.client.TestServer.retryAfter;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.susul.v1.DeviceServiceGrpc.DeviceServiceImplBase;
import dev.susul.v1.GetPushRequest;
import dev.susul.v1.GetPushResponse;
import dev.susul.v1.PushServiceGrpc.PushServiceImplBase;
import dev.susul.v1.SetDevicesRequest;
import dev.susul.v1.SetDevicesResponse;
import dev.susul.v1.WatchEventsRequest;
import dev.susul.v1.WatchEventsResponse;
import dev.susul.v1.WithdrawPushRequest;
import io.grpc.BindableService;
import io.grpc.ChannelCredentials;
import io.grpc.Grpc;
import io.grpc.InsecureServerCredentials;
import io.grpc.Server;
import io.grpc.ServerBuilder;
import io.grpc.ServerCredentials;
import io.grpc.Status;
import io.grpc.TlsChannelCredentials;
import io.grpc.TlsServerCredentials;
import io.grpc.inprocess.InProcessChannelBuilder;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.TrustManagerFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What only a real connection shows. */
@Timeout(60)
class ConnectionTest {
    private static final String PARENT = "apps/demo";
    private static final GetPushRequest GET = GetPushRequest.newBuilder().setName("apps/demo/pushes/1").build();
    private static final WithdrawPushRequest WITHDRAW = WithdrawPushRequest.newBuilder().setName("apps/demo/pushes/1").build();

    /** A server on this machine's network. */
    private static final class NetServer implements AutoCloseable {
        final String address;
        private final Server server;

        NetServer(int port, BindableService... services) throws IOException {
            this(port, InsecureServerCredentials.create(), services);
        }

        NetServer(int port, ServerCredentials credentials, BindableService... services) throws IOException {
            ServerBuilder<?> builder = Grpc.newServerBuilderForPort(port, credentials).maxInboundMessageSize(32 << 20);
            for (BindableService service : services) {
                builder.addService(service);
            }
            server = builder.build().start();
            address = "127.0.0.1:" + server.getPort();
        }

        @Override
        public void close() {
            try {
                server.shutdownNow().awaitTermination();
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
        }
    }

    private static final class Pushes extends PushServiceImplBase {
        @Override
        public void getPush(GetPushRequest request, StreamObserver<GetPushResponse> answers) {
            answers.onNext(GetPushResponse.getDefaultInstance());
            answers.onCompleted();
        }
    }

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0)) {
            return socket.getLocalPort();
        }
    }

    @Test
    void addressesAreHostAndPort() {
        for (String address : List.of("127.0.0.1:7070", "localhost:1", "[::1]:7070", "susul.example.com:443", "susul:80")) {
            Susul.connect(address).app("demo", "secret").close();
        }
        for (String address : List.of("", "localhost", "http://localhost:7070", "::1:7070", "a b:1", "susul:", "dns:///s:1")) {
            assertThrows(IllegalArgumentException.class, () -> Susul.connect(address), address);
        }
        assertThrows(IllegalStateException.class, () -> Susul.connect(InProcessChannelBuilder.forName("none")).plaintext());
    }

    @Test
    void aServerThatIsNotThereIsUnavailableUntilItIs() throws Exception {
        int port = freePort();
        try (Susul susul = Susul.connect("localhost:" + port).app("demo", "secret")) {
            SusulException gone = assertThrows(SusulException.class, () -> susul.pushes().withdrawPush(WITHDRAW));
            assertEquals(Status.Code.UNAVAILABLE, gone.code());
            try (NetServer server = new NetServer(port, new Pushes())) {
                awaitAnswer(susul);
            }
        }
    }

    /** Calls until the connection is made anew, for which gRPC takes the time it wants. */
    private static void awaitAnswer(Susul susul) {
        while (true) {
            try {
                susul.pushes().getPush(GET);
                return;
            } catch (SusulException e) {
                assertEquals(Status.Code.UNAVAILABLE, e.code());
            }
        }
    }

    @Test
    void aWatchOutlivesItsServer() throws Exception {
        int port = freePort();
        EventLog log = new EventLog(4, new EventLog.End(2, EventLog.WAIT));
        try (Susul susul = Susul.connect("127.0.0.1:" + port).app("demo", "secret");
                EventWatch watch = susul.watchEvents(WatchEventsRequest.newBuilder().setParent(PARENT).build())) {
            List<Long> seen = new ArrayList<>();
            for (int i = 0; i < 2; i++) {
                try (NetServer server = new NetServer(port, log)) {
                    while (seen.size() < 2 * (i + 1)) {
                        WatchEventsResponse answer = watch.next();
                        if (answer.hasEvent()) {
                            seen.add(answer.getEvent().getSequence());
                        }
                    }
                }
            }
            assertEquals(List.of(1L, 2L, 3L, 4L), seen);
            assertEquals(List.of("", "2"), log.requests().stream().map(WatchEventsRequest::getResumeToken).toList());
        }
    }

    @Test
    void aWatchDoesNotWaitForGrpcsOwnDelays() throws Exception {
        try (ServerSocket socket = new ServerSocket(0);
                Susul susul = Susul.connect("localhost:" + socket.getLocalPort()).plaintext().app("demo", "secret");
                EventWatch watch = susul.watchEvents(WatchEventsRequest.newBuilder().setParent(PARENT).build())) {
            CompletableFuture<Boolean> watching = CompletableFuture.supplyAsync(watch::hasNext);
            socket.accept().close();
            long began = System.nanoTime();
            for (int i = 0; i < 4; i++) {
                socket.accept().close();
            }
            // By the watch's delays that is 1.5 s at most, by gRPC's own 7 s at least.
            assertTrue(System.nanoTime() - began < Duration.ofSeconds(6).toNanos());
            watch.close();
            assertFalse(watching.get());
        }
    }

    @Test
    void whatIsLargeIsRepeatedToo() throws Exception {
        List<Integer> sizes = new CopyOnWriteArrayList<>();
        DeviceServiceImplBase devices = new DeviceServiceImplBase() {
            @Override
            public void setDevices(SetDevicesRequest request, StreamObserver<SetDevicesResponse> answers) {
                sizes.add(request.getDevicesCount());
                if (sizes.size() < 3) {
                    answers.onError(error(Status.Code.UNAVAILABLE, "STANDBY", retryAfter(1)));
                    return;
                }
                answers.onNext(SetDevicesResponse.getDefaultInstance());
                answers.onCompleted();
            }
        };
        SetDevicesRequest.Builder request = SetDevicesRequest.newBuilder().setParent(PARENT);
        for (int i = 0; i < 10_000; i++) {
            request.addDevicesBuilder()
                    .setRegistrationId("device-" + i)
                    .setAttributes(Json.object(Map.of("name", "x".repeat(400))));
        }
        try (NetServer server = new NetServer(0, devices); Susul susul = Susul.connect(server.address).app("demo", "secret")) {
            susul.devices().setDevices(request.build());
            assertEquals(List.of(10_000, 10_000, 10_000), sizes);
        }
    }

    private static String read(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void overTlsServersHaveToProveWhoTheyAre(@TempDir Path dir) throws Exception {
        Path store = dir.resolve("server.p12");
        Process keytool = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "keytool").toString(), "-genkeypair",
                "-keystore", store.toString(), "-storepass", "password", "-keyalg", "EC", "-dname", "CN=susul.test",
                "-ext", "san=dns:susul.test,ip:127.0.0.1")
                .redirectErrorStream(true).redirectOutput(dir.resolve("keytool.log").toFile()).start();
        assertEquals(0, keytool.waitFor(), () -> read(dir.resolve("keytool.log")));
        KeyStore keys = KeyStore.getInstance("PKCS12");
        try (InputStream in = Files.newInputStream(store)) {
            keys.load(in, "password".toCharArray());
        }
        KeyManagerFactory own = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        own.init(keys, "password".toCharArray());
        KeyStore certificates = KeyStore.getInstance("PKCS12");
        certificates.load(null, null);
        certificates.setCertificateEntry("server", keys.getCertificate("mykey"));
        TrustManagerFactory trusted = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trusted.init(certificates);
        ChannelCredentials known = TlsChannelCredentials.newBuilder().trustManager(trusted.getTrustManagers()).build();
        ServerCredentials credentials = TlsServerCredentials.newBuilder().keyManager(own.getKeyManagers()).build();
        try (NetServer server = new NetServer(0, credentials, new Pushes())) {
            List<Susul> refused = List.of(
                    Susul.connect(server.address).tls(TlsChannelCredentials.create()).admin("a-token"),
                    Susul.connect(server.address).admin("a-token"),
                    Susul.connect(server.address).tls(known).configure(c -> c.overrideAuthority("other.test")).admin("a-token"));
            List<Susul> taken = List.of(
                    Susul.connect(server.address).tls(known).admin("a-token"),
                    Susul.connect(server.address).tls(known).configure(c -> c.overrideAuthority("susul.test")).admin("a-token"));
            for (Susul susul : taken) {
                susul.pushes().getPush(GET);
                susul.close();
            }
            for (Susul susul : refused) {
                SusulException failed = assertThrows(SusulException.class, () -> susul.pushes().withdrawPush(WITHDRAW));
                assertEquals(Status.Code.UNAVAILABLE, failed.code());
                susul.close();
            }
        }
        try (NetServer server = new NetServer(0, new Pushes());
                Susul susul = Susul.connect(server.address).tls(known).plaintext().app("demo", "secret")) {
            susul.pushes().getPush(GET);
        }
    }
}
