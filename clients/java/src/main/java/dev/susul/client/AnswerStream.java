package dev.susul.client;

import io.grpc.Context;
import io.grpc.StatusRuntimeException;
import java.util.Iterator;
import java.util.NoSuchElementException;

/**
 * The answers of one call, as they come. It has to be closed, or gone through to its end: until then the server keeps sending.
 * One thread at a time may read; any may close.
 *
 * @param <T> the answers' type
 */
public final class AnswerStream<T> implements Iterator<T>, Iterable<T>, AutoCloseable {
    private final Context.CancellableContext context;
    private final Iterator<T> answers;
    private volatile boolean closed;

    AnswerStream(Context.CancellableContext context, Iterator<T> answers) {
        this.context = context;
        this.answers = answers;
    }

    /**
     * Waits for an answer.
     *
     * @return false when the server has sent all, or the stream is closed
     * @throws SusulException if the call fails
     */
    @Override
    public boolean hasNext() {
        try {
            if (!closed && answers.hasNext()) {
                return true;
            }
            close();
            return false;
        } catch (StatusRuntimeException e) {
            boolean wanted = closed;
            close();
            if (wanted) {
                return false;
            }
            throw SusulException.of(e);
        }
    }

    @Override
    public T next() {
        if (!hasNext()) {
            throw new NoSuchElementException();
        }
        return answers.next();
    }

    /**
     * Returns the stream itself, for a loop: it can be gone through once.
     *
     * @return this
     */
    @Override
    public Iterator<T> iterator() {
        return this;
    }

    /** Ends the call. Who waits for an answer is told that there is none. */
    @Override
    public void close() {
        closed = true;
        context.cancel(null);
    }
}
