package dev.susul.examples;

import com.sun.net.httpserver.HttpServer;
import dev.susul.client.CallbackException;
import dev.susul.client.CallbackRow;
import dev.susul.client.CallbackVerifier;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.function.Consumer;

/** A web server that takes what Susul posts to a push's callback_urls and to subscriptions. */
public final class Receive {
    public static HttpServer receive(int port, String username, String secret, Consumer<CallbackRow> use) throws IOException {
        CallbackVerifier verifier = new CallbackVerifier(username, secret); // while it is being changed: both secrets
        HttpServer server = HttpServer.create(new InetSocketAddress(port), 0);
        server.createContext("/susul/events", exchange -> {
            int status = 204;
            try {
                byte[] body = exchange.getRequestBody().readAllBytes(); // as it came
                verifier.verify(exchange.getRequestHeaders(), body).forEach(use);
            } catch (CallbackException e) {
                System.err.println(e.fault() + ": " + e.getMessage());
                status = 401;
            }
            exchange.sendResponseHeaders(status, -1);
            exchange.close();
        });
        server.start();
        return server;
    }
}
