package dev.susul.conformance;

import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.Callable;

/** Waits for states that nobody announces. */
final class Eventually {
    private static final Duration PATIENCE = Duration.ofSeconds(30);
    private static final Duration PAUSE = Duration.ofMillis(50);

    private Eventually() {}

    /** Looks until there is something. */
    static <T> T get(Callable<T> look) {
        Instant tooLate = Instant.now().plus(PATIENCE);
        try {
            for (T seen = look.call(); ; seen = look.call()) {
                if (seen != null) {
                    return seen;
                }
                if (Instant.now().isAfter(tooLate)) {
                    throw new AssertionError("waited in vain");
                }
                Thread.sleep(PAUSE.toMillis());
            }
        } catch (RuntimeException e) {
            throw e;
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    /** Looks until the assertions hold, and fails with the last of their failures. */
    static void holds(Runnable assertions) {
        AssertionError[] last = new AssertionError[1];
        try {
            get(() -> {
                try {
                    assertions.run();
                    return true;
                } catch (AssertionError e) {
                    last[0] = e;
                    return null;
                }
            });
        } catch (AssertionError e) {
            throw last[0];
        }
    }
}
