package dev.susul.client;

import dev.susul.v1.WatchEventsRequest;
import io.grpc.Channel;
import io.grpc.ChannelCredentials;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.TlsChannelCredentials;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Base64;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A connection to a Susul server, as an app or as an administrator:
 *
 * <pre>{@code
 * try (Susul susul = Susul.connect("susul.example.com:443").app("demo", "secret")) {
 *     susul.pushes().createPush(request);
 * }
 * }</pre>
 *
 * <p>It is made when the first call needs it, and again when that is necessary; threads may share it. Calls block. One that
 * says nothing else has 30 s, streams have no end. What does no harm when it is repeated is repeated by itself, where that can
 * help, within that time: up to 4 attempts in all. A push without a {@code request_id} gets one, so that this is true of it,
 * too. Calls that fail throw {@link SusulException}.
 */
public final class Susul implements AutoCloseable {
    private final ManagedChannel connection;
    private final Channel channel;
    private final Calls calls;
    private final Set<EventWatch> watches = ConcurrentHashMap.newKeySet();

    private Susul(ManagedChannel connection, Channel channel) {
        this.connection = connection;
        this.channel = channel;
        this.calls = new Calls(channel);
    }

    /**
     * Names the server. The connection is encrypted, unless the address is a loopback one.
     *
     * @param address {@code host:port} of the gRPC API, for example {@code susul.example.com:443}
     * @return what is left to say: who calls
     */
    public static Connector connect(String address) {
        return new Connector(address);
    }

    /**
     * Names the server by a channel of the caller's own making, for example to a Unix socket, or of another transport.
     *
     * @param channel the channel's builder, with all that is particular about it; credentials, keep-alive and retries are added
     *     to it
     * @return what is left to say: who calls
     */
    public static Connector connect(ManagedChannelBuilder<?> channel) {
        return new Connector(channel);
    }

    /**
     * Sends pushes and shows them.
     *
     * @return the service
     */
    public PushService pushes() {
        return new PushService(calls);
    }

    /**
     * Tells what became of pushes; manages subscriptions.
     *
     * @return the service
     */
    public CallbackService callbacks() {
        return new CallbackService(calls);
    }

    /**
     * Keeps what is known of devices.
     *
     * @return the service
     */
    public DeviceService devices() {
        return new DeviceService(calls);
    }

    /**
     * Shows and steers how events reach the business.
     *
     * @return the service
     */
    public RelayService relay() {
        return new RelayService(calls);
    }

    /**
     * Manages resend policies; an administrator's.
     *
     * @return the service
     */
    public ResendPolicyService policies() {
        return new ResendPolicyService(calls);
    }

    /**
     * Watches an app's events. When its stream ends, another is begun where it stood: nothing is missed, and nothing comes
     * twice. The first answer comes at once and has no event, and so have others now and then. Whoever stores the {@code
     * resume_token} of the last answer that was dealt with, and begins the next watch with it, misses nothing in between.
     *
     * @param request which events
     * @return the watch, which does not end by itself; to be closed
     */
    public EventWatch watchEvents(WatchEventsRequest request) {
        EventWatch watch = new EventWatch(calls, request, connection::resetConnectBackoff, watches::remove);
        watches.add(watch);
        if (connection.isShutdown()) { // nobody else may be left to end it
            watch.close();
        }
        return watch;
    }

    /**
     * Returns a channel for stubs of gRPC's own that do not block. Their calls have the same credentials, time and repetitions;
     * {@link SusulException#of} reads their errors.
     *
     * @return the channel
     */
    public Channel channel() {
        return channel;
    }

    /** Ends the connection, and all calls and watches that are under way. */
    @Override
    public void close() {
        connection.shutdownNow();
        watches.forEach(EventWatch::close);
        try {
            connection.awaitTermination(5, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt(); // it ends all the same
        }
    }

    /** How to connect. What says who calls comes last, and connects. */
    public static final class Connector {
        private static final Pattern ADDRESS = Pattern.compile("(\\[[0-9a-fA-F:.]+]|[^\\s:/?#@\\[\\]]+):(\\d{1,5})");
        private static final Pattern LOOPBACK = Pattern.compile("(?i)localhost|127(\\.\\d{1,3}){3}|\\[::1]");

        /** An answer may be as large as a request may be: enough for a million registration ids. */
        private static final int LARGEST_MESSAGE = 32 << 20;

        private final String host; // null where the channel's builder is given
        private final int port;
        private final ManagedChannelBuilder<?> given;
        private ChannelCredentials tls;
        private Consumer<ManagedChannelBuilder<?>> settings = builder -> { };
        private Duration timeout = Duration.ofSeconds(30);

        private Connector(String address) {
            Matcher parts = ADDRESS.matcher(address);
            if (!parts.matches()) {
                throw new IllegalArgumentException("the address must be host:port, not " + address);
            }
            this.host = parts.group(1);
            this.port = Integer.parseInt(parts.group(2));
            this.given = null;
            this.tls = LOOPBACK.matcher(host).matches() ? InsecureChannelCredentials.create() : TlsChannelCredentials.create();
        }

        private Connector(ManagedChannelBuilder<?> given) {
            this.host = null;
            this.port = 0;
            this.given = Objects.requireNonNull(given);
        }

        /**
         * Says how the connection is encrypted: which certificates are trusted, and the client's own.
         *
         * @param credentials made by {@link TlsChannelCredentials#newBuilder}
         * @return this
         */
        public Connector tls(ChannelCredentials credentials) {
            if (given != null) {
                throw new IllegalStateException("the channel's builder says it already");
            }
            tls = Objects.requireNonNull(credentials);
            return this;
        }

        /**
         * Leaves the connection unencrypted: credentials and pushes can be read on their way.
         *
         * @return this
         */
        public Connector plaintext() {
            return tls(InsecureChannelCredentials.create());
        }

        /**
         * Says how long a call may take that says nothing else; streams have no end.
         *
         * @param timeout the time; 30 s without
         * @return this
         */
        public Connector timeout(Duration timeout) {
            if (timeout.isNegative() || timeout.isZero()) {
                throw new IllegalArgumentException("a call needs some time");
            }
            this.timeout = timeout;
            return this;
        }

        /**
         * Sets what else gRPC has settings for, for example interceptors or {@code overrideAuthority}.
         *
         * @param settings is given the channel's builder
         * @return this
         */
        public Connector configure(Consumer<ManagedChannelBuilder<?>> settings) {
            this.settings = this.settings.andThen(settings);
            return this;
        }

        /**
         * Connects as an app, which sees itself.
         *
         * @param key the app's key
         * @param masterSecret its master secret
         * @return the connection
         */
        public Susul app(String key, String masterSecret) {
            if (key.isEmpty() || masterSecret.isEmpty()) {
                throw new IllegalArgumentException("an app has a key and a master secret");
            }
            byte[] both = (key + ":" + masterSecret).getBytes(StandardCharsets.UTF_8);
            return open("Basic " + Base64.getEncoder().encodeToString(both));
        }

        /**
         * Connects as an administrator, who manages resend policies and sees every app.
         *
         * @param token the administrator's token
         * @return the connection
         */
        public Susul admin(String token) {
            if (token.isEmpty()) {
                throw new IllegalArgumentException("an administrator has a token");
            }
            return open("Bearer " + token);
        }

        private Susul open(String authorization) {
            ManagedChannelBuilder<?> builder = given != null ? given : Grpc.newChannelBuilderForAddress(host, port, tls);
            builder.maxInboundMessageSize(LARGEST_MESSAGE);
            // A watch notices a server that is gone without a word. The server takes such a probe every 10 s.
            builder.keepAliveTime(30, TimeUnit.SECONDS).keepAliveTimeout(10, TimeUnit.SECONDS);
            Retries.configure(builder, LARGEST_MESSAGE);
            settings.accept(builder);
            ManagedChannel connection = builder.build();
            return new Susul(connection, Interceptors.intercept(connection, authorization, timeout));
        }
    }
}
