package dev.susul.client;

/**
 * A callback is not Susul's, or not what it posted now. Answer with 401, or with 400 if its body is at fault, and take nothing
 * of it.
 */
public final class CallbackException extends Exception {
    private static final long serialVersionUID = 1;

    private final Fault fault;

    CallbackException(Fault fault, String message) {
        super(message);
        this.fault = fault;
    }

    CallbackException(Fault fault, String message, Throwable cause) {
        super(message, cause);
        this.fault = fault;
    }

    /**
     * Returns why it is refused.
     *
     * @return the fault
     */
    public Fault fault() {
        return fault;
    }

    /** Why a callback is refused. */
    public enum Fault {
        /** One of the headers is missing that callbacks have. */
        MISSING_HEADER,
        /** A header can't be read. */
        MALFORMED_HEADER,
        /** It was signed more than 5 minutes from now. */
        STALE,
        /** It is signed by none of the secrets, or by another user. */
        WRONG_SIGNATURE,
        /** Its body has no rows. */
        MALFORMED_BODY
    }
}
