package dev.susul.client;

import static org.junit.jupiter.api.Assertions.fail;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import java.math.BigDecimal;
import java.util.Map;
import java.util.Optional;

/** Compares JSON with what is wanted of it: members that are not named do not count, lists match item by item. */
final class Subset {
    private Subset() { }

    static void assertSubset(JsonElement actual, JsonElement wanted) {
        difference(actual, wanted, "$").ifPresent(difference -> fail(difference + " in " + actual));
    }

    static boolean isSubset(JsonElement actual, JsonElement wanted) {
        return difference(actual, wanted, "$").isEmpty();
    }

    private static Optional<String> difference(JsonElement actual, JsonElement wanted, String path) {
        if (actual == null) {
            return Optional.of(path + " is missing");
        }
        if (wanted instanceof JsonObject members && actual instanceof JsonObject object) {
            for (Map.Entry<String, JsonElement> member : members.entrySet()) {
                String at = path + "." + member.getKey();
                Optional<String> found = difference(object.get(member.getKey()), member.getValue(), at);
                if (found.isPresent()) {
                    return found;
                }
            }
            return Optional.empty();
        }
        if (wanted instanceof JsonArray items && actual instanceof JsonArray array && items.size() == array.size()) {
            for (int i = 0; i < items.size(); i++) {
                Optional<String> found = difference(array.get(i), items.get(i), path + "[" + i + "]");
                if (found.isPresent()) {
                    return found;
                }
            }
            return Optional.empty();
        }
        return same(actual, wanted) ? Optional.empty() : Optional.of(path + " is " + actual + ", not " + wanted);
    }

    private static boolean same(JsonElement actual, JsonElement wanted) {
        if (actual instanceof JsonPrimitive one && wanted instanceof JsonPrimitive other && one.isNumber() && other.isNumber()) {
            return new BigDecimal(one.getAsString()).compareTo(new BigDecimal(other.getAsString())) == 0;
        }
        return actual.equals(wanted);
    }
}
