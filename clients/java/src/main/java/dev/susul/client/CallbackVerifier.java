package dev.susul.client;

import dev.susul.client.CallbackException.Fault;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.Clock;
import java.time.Duration;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collection;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;
import java.util.function.UnaryOperator;
import java.util.regex.Pattern;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * Verifies and reads what Susul posts to a web server. Both of a callback's signatures have to be right, and made within 5
 * minutes of now. Threads may share it.
 */
public final class CallbackVerifier {
    private static final Duration TOLERANCE = Duration.ofMinutes(5);
    private static final String KEY_PREFIX = "whsec_";
    private static final String VERSION = "v1,";
    private static final Pattern SECONDS = Pattern.compile("[0-9]{1,15}");
    private static final List<String> PARTS = List.of("timestamp", "nonce", "username", "signature");

    private final String username;
    private final List<String> secrets;
    private final Clock clock;

    /**
     * Makes a verifier.
     *
     * @param username the user name that callbacks are signed with: a subscription's {@code username}, or the app's
     *     {@code callback.username}
     * @param secrets the secrets that are good: one, or two while it is being changed
     */
    public CallbackVerifier(String username, String... secrets) {
        this(username, List.of(secrets), Clock.systemUTC());
    }

    /**
     * Makes a verifier.
     *
     * @param username as above
     * @param secrets as above
     * @param clock tells the time
     */
    public CallbackVerifier(String username, Collection<String> secrets, Clock clock) {
        this.username = username;
        this.secrets = List.copyOf(secrets);
        this.clock = clock;
        if (username.isEmpty() || this.secrets.isEmpty() || this.secrets.contains("")) {
            throw new IllegalArgumentException("give the user name and the secrets that callbacks are signed with");
        }
    }

    /**
     * Verifies a callback, and returns its rows. Events come at least once: whoever must not deal with one twice remembers the
     * {@code eventId}s.
     *
     * @param headers the request's, as most servers have them, whatever letters their names are in
     * @param body the body's bytes as they came
     * @return the rows
     * @throws CallbackException if the callback must not be believed, or can't be read
     */
    public List<CallbackRow> verify(Map<String, ? extends Collection<String>> headers, byte[] body) throws CallbackException {
        Map<String, String> found = new HashMap<>();
        for (Map.Entry<String, ? extends Collection<String>> header : headers.entrySet()) {
            for (String value : header.getKey() == null ? List.<String>of() : header.getValue()) {
                String name = header.getKey().toLowerCase(Locale.ROOT);
                if (found.put(name, value) != null && isOurs(name)) {
                    throw new CallbackException(Fault.MALFORMED_HEADER, name + " is there more than once");
                }
            }
        }
        return verify(name -> found.get(name.toLowerCase(Locale.ROOT)), body);
    }

    /**
     * Verifies a callback, and returns its rows, as above.
     *
     * @param header looks up one of the request's headers, whatever letters its name is in, as {@code request::getHeader} does
     * @param body the body's bytes as they came
     * @return the rows
     * @throws CallbackException if the callback must not be believed, or can't be read
     */
    public List<CallbackRow> verify(UnaryOperator<String> header, byte[] body) throws CallbackException {
        Map<String, String> callbackId = callbackId(required(header, "X-CALLBACK-ID"));
        String id = required(header, "webhook-id");
        String timestamp = required(header, "webhook-timestamp");
        List<String> signatures = Arrays.stream(required(header, "webhook-signature").split(" "))
                .filter(signature -> signature.startsWith(VERSION))
                .map(signature -> signature.substring(VERSION.length()))
                .toList();
        requireRecent("X-CALLBACK-ID", callbackId.get("timestamp"));
        requireRecent("webhook-timestamp", timestamp);

        byte[] start = utf8(id + "." + timestamp + ".");
        List<String> wanted = all(secret -> Base64.getEncoder().encodeToString(hmac(key(secret), start, body)));
        if (!anySame(signatures, wanted)) {
            throw new CallbackException(Fault.WRONG_SIGNATURE, "webhook-signature is by none of the secrets");
        }
        requireCallbackId(callbackId, signatures.size() > 1);
        return CallbackBody.rows(body);
    }

    private static boolean isOurs(String name) {
        return name.equals("x-callback-id") || name.startsWith("webhook-");
    }

    private static String required(UnaryOperator<String> header, String name) throws CallbackException {
        String value = header.apply(name);
        if (value == null || value.isEmpty()) {
            throw new CallbackException(Fault.MISSING_HEADER, name + " is missing");
        }
        return value;
    }

    private static Map<String, String> callbackId(String text) throws CallbackException {
        Map<String, String> parts = new HashMap<>();
        for (String part : text.split(";")) {
            String[] sides = part.split("=", 2);
            if (sides.length == 2 && parts.put(sides[0].strip(), sides[1].strip()) != null) {
                throw new CallbackException(Fault.MALFORMED_HEADER, "X-CALLBACK-ID has " + sides[0].strip() + " twice");
            }
        }
        for (String name : PARTS) {
            if (parts.getOrDefault(name, "").isEmpty()) {
                throw new CallbackException(Fault.MALFORMED_HEADER, "X-CALLBACK-ID has no " + name);
            }
        }
        return parts;
    }

    private void requireRecent(String name, String timestamp) throws CallbackException {
        if (!SECONDS.matcher(timestamp).matches()) {
            throw new CallbackException(Fault.MALFORMED_HEADER, name + " has no time in seconds");
        }
        long away = Math.abs(clock.instant().getEpochSecond() - Long.parseLong(timestamp));
        if (away > TOLERANCE.toSeconds()) {
            throw new CallbackException(Fault.STALE, name + " is more than 5 minutes from now");
        }
    }

    /**
     * X-CALLBACK-ID has room for one signature, and covers no body. While the secret is being changed it may be by the one that
     * is not known here; webhook-signature then has those of both, and is enough.
     */
    private void requireCallbackId(Map<String, String> parts, boolean changing) throws CallbackException {
        byte[] signed = utf8(parts.get("timestamp") + parts.get("nonce") + parts.get("username"));
        List<String> wanted = all(secret -> HexFormat.of().formatHex(hmac(utf8(secret), signed)));
        boolean known = anySame(List.of(parts.get("signature").toLowerCase(Locale.ROOT)), wanted);
        if (!anySame(List.of(parts.get("username")), List.of(username)) || !(known || changing)) {
            throw new CallbackException(Fault.WRONG_SIGNATURE, "X-CALLBACK-ID is not by this user name and one of the secrets");
        }
    }

    private List<String> all(Function<String, String> sign) {
        return secrets.stream().map(sign).toList();
    }

    /** Compares all with all; how long that takes tells nothing of what is the same. */
    private static boolean anySame(List<String> given, List<String> wanted) {
        boolean found = false;
        for (String one : given) {
            for (String other : wanted) {
                found |= MessageDigest.isEqual(utf8(one), utf8(other));
            }
        }
        return found;
    }

    /**
     * Returns the key of Standard Webhooks; a secret that looks like base64 and is none stands for itself, as it does to the
     * server.
     */
    private static byte[] key(String secret) {
        if (secret.startsWith(KEY_PREFIX)) {
            try {
                return Base64.getDecoder().decode(secret.substring(KEY_PREFIX.length()));
            } catch (IllegalArgumentException e) {
                return utf8(secret);
            }
        }
        return utf8(secret);
    }

    private static byte[] hmac(byte[] key, byte[]... parts) {
        try {
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(new SecretKeySpec(key, "HmacSHA256"));
            for (byte[] part : parts) {
                mac.update(part);
            }
            return mac.doFinal();
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("every Java has HMAC-SHA256", e);
        }
    }

    private static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
