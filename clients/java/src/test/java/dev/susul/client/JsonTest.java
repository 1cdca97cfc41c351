package dev.susul.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.google.protobuf.Value;
import com.google.protobuf.util.JsonFormat;
import java.time.Instant;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class JsonTest {
    @Test
    void javasOwnValuesBecomeJson() throws Exception {
        Map<String, Object> members = new LinkedHashMap<>();
        members.put("text", "a");
        members.put("numbers", Arrays.asList(1, 2.5, 3L));
        members.put("yes", true);
        members.put("nothing", null);
        members.put("object", Map.of("inner", Json.value("b")));
        Value.Builder wanted = Value.newBuilder();
        JsonFormat.parser().merge(
                "{\"text\":\"a\",\"numbers\":[1,2.5,3],\"yes\":true,\"nothing\":null,\"object\":{\"inner\":\"b\"}}", wanted);
        assertEquals(wanted.build(), Json.value(members));
        assertEquals(wanted.build().getStructValue(), Json.object(members));
        assertThrows(IllegalArgumentException.class, () -> Json.value(List.of(Instant.EPOCH)));
        assertThrows(IllegalArgumentException.class, () -> Json.object(Map.of(1, "a")));
    }
}
