package dev.susul.client;

import com.google.protobuf.ListValue;
import com.google.protobuf.NullValue;
import com.google.protobuf.Struct;
import com.google.protobuf.Value;
import java.util.Map;

/** Makes what fields want that take any JSON, such as a push's {@code custom_args}. */
public final class Json {
    private Json() { }

    /**
     * Returns a value as a message has it.
     *
     * @param value null, a string, a number, a boolean, or a map or an iterable of such
     * @return the value; its numbers have the precision of a double
     * @throws IllegalArgumentException if there is anything else in it
     */
    public static Value value(Object value) {
        Value.Builder built = Value.newBuilder();
        if (value == null) {
            built.setNullValue(NullValue.NULL_VALUE);
        } else if (value instanceof Value message) {
            return message;
        } else if (value instanceof CharSequence text) {
            built.setStringValue(text.toString());
        } else if (value instanceof Number number) {
            built.setNumberValue(number.doubleValue());
        } else if (value instanceof Boolean bool) {
            built.setBoolValue(bool);
        } else if (value instanceof Map<?, ?> members) {
            built.setStructValue(object(members));
        } else if (value instanceof Iterable<?> items) {
            ListValue.Builder list = built.getListValueBuilder();
            items.forEach(item -> list.addValues(value(item)));
        } else {
            throw new IllegalArgumentException("JSON has no " + value.getClass());
        }
        return built.build();
    }

    /**
     * Returns an object as a message has it.
     *
     * @param members its members, with strings as names and values as {@link #value} takes them
     * @return the object
     * @throws IllegalArgumentException if there is anything else in it
     */
    public static Struct object(Map<?, ?> members) {
        Struct.Builder built = Struct.newBuilder();
        members.forEach((name, member) -> {
            if (!(name instanceof CharSequence)) {
                throw new IllegalArgumentException("the members of JSON have strings as names, not " + name);
            }
            built.putFields(name.toString(), value(member));
        });
        return built.build();
    }
}
