package dev.susul.conformance;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.StreamSupport;

/** A look into the stand-in EngageLab: what arrived there, and what reached whom. */
final class Sandbox {
    final String url;

    Sandbox(String url) {
        this.url = url;
    }

    private JsonNode get(String path) {
        try {
            return Stage.JSON.readTree(URI.create(url + path).toURL());
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Returns the requests with the app's credentials, oldest first. */
    List<JsonNode> requests(String app) {
        List<JsonNode> found = new ArrayList<>();
        for (long after = 0; ; ) {
            JsonNode page = get("/sandbox/requests?limit=1000&after=" + after);
            if (page.get("requests").size() == 0) {
                return found;
            }
            after = page.get("next").asLong();
            page.get("requests").forEach(request -> {
                if (request.get("app").asText().equals(app)) {
                    found.add(request);
                }
            });
        }
    }

    /** Returns the app's latest request, as "METHOD /path?query". */
    String latest(String app) {
        List<JsonNode> all = requests(app);
        JsonNode last = all.get(all.size() - 1);
        return last.get("method").asText() + " " + last.get("path").asText();
    }

    /** Returns the pushes with a request_id, as they arrived, but for what Susul fills in. */
    List<JsonNode> pushes(String app, String requestId) {
        return requests(app).stream()
                .filter(request -> request.get("path").asText().equals("/v4/push"))
                .map(request -> request.get("document"))
                .filter(document -> document.path("request_id").asText().equals(requestId))
                .map(Sandbox::withoutOwn).toList();
    }

    private static JsonNode withoutOwn(JsonNode document) {
        ObjectNode copy = document.deepCopy();
        copy.remove("callback_url");
        ObjectNode options = (ObjectNode) copy.get("body").get("options");
        if (options.remove("cid") == null) {
            throw new AssertionError("a push came without a cid: " + document);
        }
        if (options.size() == 0) {
            ((ObjectNode) copy.get("body")).remove("options");
        }
        return copy;
    }

    /** Returns what reached a device that was sent something. */
    List<JsonNode> messages(String registrationId) {
        return StreamSupport.stream(get("/sandbox/devices/" + registrationId).get("messages").spliterator(), false).toList();
    }
}
