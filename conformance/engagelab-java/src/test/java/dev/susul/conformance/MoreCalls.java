package dev.susul.conformance;

import com.fasterxml.jackson.databind.JsonNode;
import feign.Headers;
import feign.Param;
import feign.RequestLine;
import java.time.LocalDate;

/**
 * Calls of EngageLab's that this release of its SDK has no method for, or whose answers it can't read, made with the SDK's
 * own HTTP stack.
 */
@Headers("Content-Type: application/json; charset=utf-8")
interface MoreCalls {
    @RequestLine("POST /v4/push/validate")
    JsonNode validate(Object push);

    @RequestLine("DELETE /v4/push/withdraw/{msg_id}")
    JsonNode withdraw(@Param("msg_id") String msgId);

    @RequestLine("POST /v4/batch/push/regid")
    JsonNode batchByRegistrationId(Object batch);

    @RequestLine("POST /v4/batch/push/alias")
    JsonNode batchByAlias(Object batch);

    @RequestLine("GET /v4/status/batch/message?message_ids={ids}")
    JsonNode batchStatus(@Param("ids") String ids);

    @RequestLine("DELETE /v4/devices/{id}")
    void deleteDevice(@Param("id") String registrationId);

    @RequestLine("GET /v4/tags/{tag}/registration_ids/{id}")
    JsonNode isTagged(@Param("tag") String tag, @Param("id") String registrationId);

    @RequestLine("POST /v4/push_plan")
    JsonNode setPlan(Object plan);

    @RequestLine("GET /v4/push_plan/list"
            + "?page_index={index}&page_size={size}&send_source={source}&search_description={search}")
    JsonNode listPlans(@Param("index") int index, @Param("size") int size, @Param("source") Integer source,
            @Param("search") String search);

    @RequestLine("DELETE /v4/push_plan/{id}")
    JsonNode deletePlan(@Param("id") String planId);

    @RequestLine("GET /v4/status/plan/msg/?plan_ids={ids}&start_date={start}&end_date={end}")
    JsonNode planMessages(@Param("ids") String planIds, @Param("start") LocalDate start, @Param("end") LocalDate end);

    @RequestLine("GET /v4/status/plan/detail?plan_ids={ids}&start_date={start}&end_date={end}")
    JsonNode planDetail(@Param("ids") String planIds, @Param("start") LocalDate start, @Param("end") LocalDate end);
}
