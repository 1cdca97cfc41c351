package dev.susul.conformance;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.engagelab.exception.ApiErrorException;
import org.junit.jupiter.api.function.Executable;

/** What the SDK makes of refusals. */
final class Refusals {
    static final int INVALID = 21003;
    static final int UNAUTHENTICATED = 21004;
    static final int NO_TARGET = 21011;
    static final int CANNOT_WITHDRAW = 21016;

    private Refusals() {}

    /** Requires that the SDK's exception carries status, code and a message with a text in it. */
    static void requireRefused(int status, int code, String text, Executable call) {
        ApiErrorException refused = assertThrows(ApiErrorException.class, call);
        assertEquals(status, refused.getStats());
        assertEquals(code, refused.getApiError().getError().getCode());
        String message = refused.getApiError().getError().getMessage();
        assertTrue(message.contains(text), message);
        assertEquals(message, refused.getMessage());
    }
}
