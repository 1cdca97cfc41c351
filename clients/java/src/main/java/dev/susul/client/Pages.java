package dev.susul.client;

import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.function.Function;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/**
 * All items of a list, which the server returns in pages: the next one is asked for when it is needed. It can be gone through
 * any number of times, and asks the server each time.
 *
 * @param <T> the items' type
 */
public final class Pages<T> implements Iterable<T> {
    private final String first;
    private final Function<String, Page<T>> load;

    /** A page, and where the next one begins: empty on the last. */
    record Page<T>(List<T> items, String nextToken) { }

    Pages(String first, Function<String, Page<T>> load) {
        this.first = first;
        this.load = load;
    }

    @Override
    public Iterator<T> iterator() {
        return new Walk();
    }

    /**
     * Returns the items as a stream.
     *
     * @return the stream, which asks for pages as it is read
     */
    public Stream<T> stream() {
        return StreamSupport.stream(spliterator(), false);
    }

    private final class Walk implements Iterator<T> {
        private Iterator<T> items = List.<T>of().iterator();
        private String token = first;
        private boolean last;

        @Override
        public boolean hasNext() {
            while (!items.hasNext() && !last) { // a page may be empty, and not the last
                Page<T> page = load.apply(token);
                items = page.items().iterator();
                token = page.nextToken();
                last = token.isEmpty();
            }
            return items.hasNext();
        }

        @Override
        public T next() {
            if (!hasNext()) {
                throw new NoSuchElementException();
            }
            return items.next();
        }
    }
}
