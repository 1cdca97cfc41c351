package dev.susul.conformance;

import static dev.susul.conformance.Refusals.requireRefused;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import feign.FeignException;
import io.github.engagelab.api.DeviceApi;
import io.github.engagelab.bean.device.DeviceGetResult;
import io.github.engagelab.bean.device.DeviceSetParam;
import io.github.engagelab.bean.device.DeviceStatusGetParam;
import io.github.engagelab.bean.device.DeviceStatusGetResult;
import io.github.engagelab.bean.device.TagQuotaGetResult;
import io.github.engagelab.bean.device.TagSetParam;
import io.github.engagelab.enums.Platform;
import java.time.Duration;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Devices, tags and aliases, which Susul leaves to EngageLab: what is set there is what is got. */
@ExtendWith(Stage.Resolver.class)
final class DeviceTest {
    private static final String APP = "devices";
    private static final List<Platform> PLATFORMS = List.of(Platform.android, Platform.ios);

    private final Stage stage;
    private final DeviceApi devices;

    DeviceTest(Stage stage) {
        this.stage = stage;
        this.devices = stage.devices(APP);
    }

    private void set(String device, List<String> add, List<String> remove, String alias) {
        DeviceSetParam.Tags tags = new DeviceSetParam.Tags();
        tags.setAdd(add);
        tags.setRemove(remove);
        DeviceSetParam param = new DeviceSetParam();
        param.setTags(tags);
        param.setAlias(alias);
        devices.setDevice(device, param);
    }

    private void setTag(String tag, List<String> add, List<String> remove) {
        TagSetParam.RegistrationIds ids = new TagSetParam.RegistrationIds();
        ids.setAdd(add);
        ids.setRemove(remove);
        TagSetParam param = new TagSetParam();
        param.setRegistrationIds(ids);
        devices.setTag(tag, param);
    }

    private void requireDevice(String device, List<String> tags, String alias) {
        DeviceGetResult got = devices.getDevice(device);
        assertEquals(tags, got.getTags());
        assertEquals(alias, got.getAlias());
    }

    private long members(String tag) {
        Map<String, Long> counts = devices.getTagCount(List.of(tag), PLATFORMS).getTagsCount();
        assertEquals(List.of(tag), List.copyOf(counts.keySet()));
        return counts.get(tag);
    }

    @Test
    void tagsAndAliasesSetAreTagsAndAliasesGot() {
        requireDevice("one", List.of(), "");
        set("one", List.of("a", "b", "with space/slash"), List.of(), "jo");
        requireDevice("one", List.of("a", "b", "with space/slash"), "jo");
        setTag("b", List.of("two", "three"), List.of());
        assertEquals(3, members("b"));
        assertEquals(1, members("with space/slash"));
        assertEquals(List.of("a", "b", "with space/slash"), devices.getTags().getTags());

        TagQuotaGetResult.Data quota = devices.getTagQuota(List.of("b"), PLATFORMS).getData();
        assertEquals(3, quota.getUseTagQuota());
        assertEquals(1, quota.getUseAliasQuota());
        assertTrue(quota.getTotalTagQuota() > 3 && quota.getTotalAliasQuota() > 1, quota::toString);
        assertEquals(1, quota.getTagUidQuotaDetails().size());
        assertEquals("b", quota.getTagUidQuotaDetails().get(0).getTagName());
        assertEquals(3, quota.getTagUidQuotaDetails().get(0).getUseUidQuota());

        setTag("b", List.of(), List.of("two"));
        assertEquals(2, members("b"));
        requireDevice("two", List.of(), "");
        set("one", List.of("c"), List.of("a"), "jo");
        requireDevice("one", List.of("b", "c", "with space/slash"), "jo");
        assertEquals(List.of("one"), devices.getAliasStatus("jo", PLATFORMS).getRegistrationId());
        devices.deleteAlas("jo", PLATFORMS);
        assertEquals(List.of(), devices.getAliasStatus("jo", PLATFORMS).getRegistrationId());
        devices.deleteTag("b", PLATFORMS);
        requireDevice("one", List.of("c", "with space/slash"), "");
        requireDevice("three", List.of(), "");
        stage.more(APP).deleteDevice("one");
        requireDevice("one", List.of(), "");
    }

    /** The SDK looks for a list of tags in this answer and can't read a result, whoever gives it. */
    @Test
    void whetherADeviceHasATagIsAnsweredAsItComes() {
        setTag("checked", List.of("with"), List.of());
        FeignException unreadable = assertThrows(FeignException.class, () -> devices.getTagStatus("checked", "with"));
        assertTrue(unreadable.getMessage().contains("\"result\""), unreadable.getMessage());
        assertEquals("GET /v4/tags/checked/registration_ids/with", stage.sandbox.latest(APP));
        assertTrue(stage.more(APP).isTagged("checked", "with").get("result").asBoolean());
        assertEquals("{\"result\":false}", stage.more(APP).isTagged("checked", "without").toString());
        devices.deleteTag("checked", PLATFORMS);
        assertEquals("{\"result\":false}", stage.more(APP).isTagged("checked", "with").toString());
    }

    @Test
    void whetherDevicesAreOnline() {
        DeviceStatusGetParam param = new DeviceStatusGetParam();
        param.setRegistrationIds(List.of("first", "second"));
        List<DeviceStatusGetResult> statuses = devices.getDeviceStatus(param);
        assertEquals(List.of("first", "second"), statuses.stream().map(DeviceStatusGetResult::getRegistrationId).toList());
        for (DeviceStatusGetResult status : statuses) {
            assertEquals(true, status.getOnline());
            Duration ago = Duration.between(status.getLastOnlineTime(), LocalDateTime.now(ZoneOffset.UTC));
            assertTrue(ago.abs().compareTo(Duration.ofMinutes(5)) < 0, status::toString);
        }
        param.setRegistrationIds(List.of());
        requireRefused(400, Refusals.INVALID, "registration_ids", () -> devices.getDeviceStatus(param));
    }

    @Test
    void aRefusalOfEngageLab() {
        requireRefused(400, Refusals.INVALID, "must not be empty", () -> set("four", List.of(""), List.of(), null));
        requireDevice("four", List.of(), "");
    }
}
