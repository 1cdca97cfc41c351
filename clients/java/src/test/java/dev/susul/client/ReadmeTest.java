package dev.susul.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.net.httpserver.HttpServer;
import dev.susul.examples.Receive;
import dev.susul.examples.Send;
import dev.susul.v1.ErrorReason;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.UUID;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class ReadmeTest {
    private static final String SECRET = "your-callback-secret";

    @ParameterizedTest
    @ValueSource(strings = {"src/test/java/dev/susul/examples/Send.java", "src/test/java/dev/susul/examples/Receive.java"})
    void examplesAreInTheReadmeAsTheyAre(String example) throws Exception {
        String quoted = "<!-- " + example + " -->\n```java\n" + Files.readString(Path.of(example)) + "```\n";
        assertTrue(Files.readString(Path.of("README.md")).contains(quoted), "README.md must quote " + example);
    }

    @Test
    void theVersionIsThatOfThePom() throws Exception {
        String pom = Files.readString(Path.of("pom.xml"));
        String version = pom.replaceFirst("(?s).*?<version>(.*?)</version>.*", "$1");
        assertTrue(Files.readString(Path.of("README.md")).contains("<version>" + version + "</version>"));
    }

    @Test
    void sendSeesTheClick() {
        Environment.assume();
        String device = "device-" + UUID.randomUUID();
        String secret = Environment.get("MASTER_SECRET");
        assertTrue(Send.send(Environment.get("GRPC"), Environment.get("APP"), secret, device).matches("\\d+"));
        SusulException stranger = assertThrows(SusulException.class,
                () -> Send.send(Environment.get("GRPC"), Environment.get("APP"), "somebody-elses", device));
        assertEquals(ErrorReason.ERROR_REASON_UNAUTHENTICATED, stranger.reason());
    }

    @Test
    void receiveTakesWhatIsSigned() throws Exception {
        List<CallbackRow> rows = new ArrayList<>();
        HttpServer server = Receive.receive(0, "susul", SECRET, rows::add);
        try {
            assertEquals(401, post(server, "another-secret"));
            assertEquals(204, post(server, SECRET));
        } finally {
            server.stop(0);
        }
        assertEquals(List.of("17"), rows.stream().map(CallbackRow::eventId).toList());
    }

    private static int post(HttpServer server, String secret) throws Exception {
        String now = Long.toString(Instant.now().getEpochSecond());
        String body = "{\"rows\":[{\"message_id\":\"1\",\"to\":\"a-device\",\"status\":{\"message_status\":\"click\"},"
                + "\"susul\":{\"event_id\":\"17\"}}]}";
        URI url = URI.create("http://127.0.0.1:" + server.getAddress().getPort() + "/susul/events");
        HttpRequest request = HttpRequest.newBuilder(url)
                .header("X-CALLBACK-ID", "timestamp=" + now + ";nonce=n;username=susul;signature="
                        + HexFormat.of().formatHex(hmac(secret, now + "nsusul")))
                .header("webhook-id", "an-id")
                .header("webhook-timestamp", now)
                .header("webhook-signature",
                        "v1," + Base64.getEncoder().encodeToString(hmac(secret, "an-id." + now + "." + body)))
                .POST(HttpRequest.BodyPublishers.ofString(body))
                .build();
        return HttpClient.newHttpClient().send(request, BodyHandlers.discarding()).statusCode();
    }

    private static byte[] hmac(String secret, String content) throws Exception {
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(secret.getBytes(StandardCharsets.UTF_8), "HmacSHA256"));
        return mac.doFinal(content.getBytes(StandardCharsets.UTF_8));
    }
}
