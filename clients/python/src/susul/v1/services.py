"""Susul's services with blocking calls.

Made of the protos by protoc-gen-susul: not to be edited.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from google.protobuf import duration_pb2, field_mask_pb2, timestamp_pb2

from susul._calls import Caller, fill
from susul._pages import pages
from susul.v1 import (
    BacktestResendPolicyRequest,
    BacktestResendPolicyResponse,
    Callback,
    CancelReplayRequest,
    CancelReplayResponse,
    CreatePushRequest,
    CreatePushResponse,
    CreateResendPolicyRequest,
    CreateResendPolicyResponse,
    CreateSubscriptionRequest,
    CreateSubscriptionResponse,
    DeadLetter,
    DeleteDeadLetterRequest,
    DeleteDeadLetterResponse,
    DeleteDeviceRequest,
    DeleteDeviceResponse,
    DeleteResendPolicyRequest,
    DeleteResendPolicyResponse,
    DeleteSubscriptionRequest,
    DeleteSubscriptionResponse,
    Device,
    Event,
    ExplainRecipientRequest,
    ExplainRecipientResponse,
    FollowUpSwitch,
    GetDeviceRequest,
    GetDeviceResponse,
    GetFollowUpSwitchRequest,
    GetFollowUpSwitchResponse,
    GetPushReportRequest,
    GetPushReportResponse,
    GetPushRequest,
    GetPushResponse,
    GetRecipientRequest,
    GetRecipientResponse,
    GetRelayEndpointRequest,
    GetRelayEndpointResponse,
    GetResendPolicyReportRequest,
    GetResendPolicyReportResponse,
    GetResendPolicyRequest,
    GetResendPolicyResponse,
    GetSubscriptionRequest,
    GetSubscriptionResponse,
    HeldCallback,
    HoldReason,
    ImportDevicesRequest,
    ImportDevicesResponse,
    ListDeadLettersRequest,
    ListDeadLettersResponse,
    ListEventsRequest,
    ListEventsResponse,
    ListHeldCallbacksRequest,
    ListHeldCallbacksResponse,
    ListInvalidDevicesRequest,
    ListInvalidDevicesResponse,
    ListPushesRequest,
    ListPushesResponse,
    ListRefusedCallbacksRequest,
    ListRefusedCallbacksResponse,
    ListRelayEndpointsRequest,
    ListRelayEndpointsResponse,
    ListReplaysRequest,
    ListReplaysResponse,
    ListResendPoliciesRequest,
    ListResendPoliciesResponse,
    ListSubscriptionsRequest,
    ListSubscriptionsResponse,
    PauseRelayEndpointRequest,
    PauseRelayEndpointResponse,
    PreviewResendPolicyRequest,
    PreviewResendPolicyResponse,
    Push,
    RelayEndpoint,
    Replay,
    ReplayEventsRequest,
    ReplayEventsResponse,
    ReportCallbacksRequest,
    ReportCallbacksResponse,
    ResendPolicy,
    ResumeRelayEndpointRequest,
    ResumeRelayEndpointResponse,
    ReviveDevicesRequest,
    ReviveDevicesResponse,
    RotateSubscriptionSecretRequest,
    RotateSubscriptionSecretResponse,
    SetDevicesRequest,
    SetDevicesResponse,
    Subscription,
    TestRelayEndpointRequest,
    TestRelayEndpointResponse,
    UpdateFollowUpSwitchRequest,
    UpdateFollowUpSwitchResponse,
    UpdateResendPolicyRequest,
    UpdateResendPolicyResponse,
    UpdateSubscriptionRequest,
    UpdateSubscriptionResponse,
    ValidatePushRequest,
    ValidatePushResponse,
    WatchEventsRequest,
    WatchEventsResponse,
    WatchResendPoliciesRequest,
    WatchResendPoliciesResponse,
    WithdrawPushRequest,
    WithdrawPushResponse,
)
from susul.v1.callback_service_pb2_grpc import CallbackServiceStub
from susul.v1.device_service_pb2_grpc import DeviceServiceStub
from susul.v1.push_service_pb2_grpc import PushServiceStub
from susul.v1.relay_service_pb2_grpc import RelayServiceStub
from susul.v1.resend_policy_service_pb2_grpc import ResendPolicyServiceStub


class CallbackService:
    """CallbackService takes what EngageLab reports, tells what became of pushes, and has events posted to the business by
    subscriptions. EngageLab itself posts its own JSON to
    `/v1/apps/{app_key}/callbacks`; what arrives there and through ReportCallbacks is the same. Credentials are as for
    PushService.
    """

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._stub = CallbackServiceStub(caller.channel)

    def report_callbacks(
        self,
        *,
        parent: str = "",
        callbacks: Iterable[Callback | Mapping[str, Any]] | None = None,
        timeout: float | None = None,
    ) -> ReportCallbacksResponse:
        """ReportCallbacks stores rows durably before it answers. A row that is repeated counts once, in whatever order rows
        come.

        Args:
            parent: The app: `apps/{app_key}`.
            callbacks: The rows, 1 to 1,000.
        """
        request = fill(
            ReportCallbacksRequest(),
            parent=parent,
            callbacks=callbacks,
        )
        return self._caller.unary_unary("ReportCallbacks", self._stub.ReportCallbacks, request, timeout)

    def list_events(
        self,
        *,
        parent: str = "",
        page_size: int = 0,
        page_token: str = "",
        msg_id: str = "",
        registration_id: str = "",
        start_time: timestamp_pb2.Timestamp | datetime | None = None,
        end_time: timestamp_pb2.Timestamp | datetime | None = None,
        timeout: float | None = None,
    ) -> ListEventsResponse:
        """ListEvents returns an app's events in the order in which they were stored.

        Args:
            parent: The app: `apps/{app_key}`.
            page_size: How many to return at most. Default 100, at most 1,000.
            page_token: `next_page_token` of the page before; empty for the first.
            msg_id: Only events of this push.
            registration_id: Only events of this device.
            start_time: Only events that happened at this time or later.
            end_time: Only events that happened before this time.
        """
        request = fill(
            ListEventsRequest(),
            parent=parent,
            page_size=page_size,
            page_token=page_token,
            msg_id=msg_id,
            registration_id=registration_id,
            start_time=start_time,
            end_time=end_time,
        )
        return self._caller.unary_unary("ListEvents", self._stub.ListEvents, request, timeout)

    def iter_events(
        self,
        *,
        parent: str = "",
        page_size: int = 0,
        page_token: str = "",
        msg_id: str = "",
        registration_id: str = "",
        start_time: timestamp_pb2.Timestamp | datetime | None = None,
        end_time: timestamp_pb2.Timestamp | datetime | None = None,
        timeout: float | None = None,
    ) -> Iterator[Event]:
        """Yields what list_events returns, page after page; the timeout is for each of them."""
        for page in pages(
            self.list_events,
            parent=parent,
            page_size=page_size,
            page_token=page_token,
            msg_id=msg_id,
            registration_id=registration_id,
            start_time=start_time,
            end_time=end_time,
            timeout=timeout,
        ):
            yield from page.events

    def watch_events(
        self,
        *,
        parent: str = "",
        resume_token: str = "",
        msg_id: str = "",
        filter: str = "",
        timeout: float | None = None,
    ) -> Iterator[WatchEventsResponse]:
        """WatchEvents streams an app's events as they are stored, beginning after resume_token. The first answer comes at
        once and has only a resume_token, so that a client can resume even if nothing happens. A client that reconnects with
        the last token that it has handled misses nothing and gets nothing twice.

        Without a timeout it goes on until its end or an error.

        Args:
            parent: The app: `apps/{app_key}`.
            resume_token: Where to go on; empty: events from now on.
            msg_id: Only events of this push.
            filter: Only events for which this CEL expression is true; as a subscription's `filter`. Empty: all.
        """
        request = fill(
            WatchEventsRequest(),
            parent=parent,
            resume_token=resume_token,
            msg_id=msg_id,
            filter=filter,
        )
        return self._caller.unary_stream(self._stub.WatchEvents, request, timeout)

    def list_held_callbacks(
        self,
        *,
        parent: str = "",
        page_size: int = 0,
        page_token: str = "",
        reason: HoldReason.ValueType | str | None = None,
        timeout: float | None = None,
    ) -> ListHeldCallbacksResponse:
        """ListHeldCallbacks returns the rows that are stored and touch no push, the longest held first.

        Args:
            parent: The app: `apps/{app_key}`.
            page_size: How many to return at most. Default 100, at most 1,000.
            page_token: `next_page_token` of the page before; empty for the first.
            reason: Only rows that are held for this reason.
        """
        request = fill(
            ListHeldCallbacksRequest(),
            parent=parent,
            page_size=page_size,
            page_token=page_token,
            reason=reason,
        )
        return self._caller.unary_unary("ListHeldCallbacks", self._stub.ListHeldCallbacks, request, timeout)

    def iter_held_callbacks(
        self,
        *,
        parent: str = "",
        page_size: int = 0,
        page_token: str = "",
        reason: HoldReason.ValueType | str | None = None,
        timeout: float | None = None,
    ) -> Iterator[HeldCallback]:
        """Yields what list_held_callbacks returns, page after page; the timeout is for each of them."""
        for page in pages(
            self.list_held_callbacks,
            parent=parent,
            page_size=page_size,
            page_token=page_token,
            reason=reason,
            timeout=timeout,
        ):
            yield from page.held_callbacks

    def list_refused_callbacks(
        self,
        *,
        parent: str = "",
        timeout: float | None = None,
    ) -> ListRefusedCallbacksResponse:
        """ListRefusedCallbacks returns the latest requests to `/v1/apps/{app_key}/callbacks` that were refused, the latest
        first. The node that answers knows its own, since it started; the metric `susul_callbacks_refused_total` counts all.

        Args:
            parent: The app: `apps/{app_key}`.
        """
        request = fill(
            ListRefusedCallbacksRequest(),
            parent=parent,
        )
        return self._caller.unary_unary("ListRefusedCallbacks", self._stub.ListRefusedCallbacks, request, timeout)

    def get_push_report(
        self,
        *,
        name: str = "",
        timeout: float | None = None,
    ) -> GetPushReportResponse:
        """GetPushReport returns a push's counts and rates, by step and in total.

        Args:
            name: The report: `apps/{app_key}/pushes/{msg_id}/report`.
        """
        request = fill(
            GetPushReportRequest(),
            name=name,
        )
        return self._caller.unary_unary("GetPushReport", self._stub.GetPushReport, request, timeout)

    def get_recipient(
        self,
        *,
        name: str = "",
        timeout: float | None = None,
    ) -> GetRecipientResponse:
        """GetRecipient returns how far a push got with one recipient.

        Args:
            name: The recipient: `apps/{app_key}/pushes/{msg_id}/recipients/{registration_id}`.
        """
        request = fill(
            GetRecipientRequest(),
            name=name,
        )
        return self._caller.unary_unary("GetRecipient", self._stub.GetRecipient, request, timeout)

    def explain_recipient(
        self,
        *,
        name: str = "",
        timeout: float | None = None,
    ) -> ExplainRecipientResponse:
        """ExplainRecipient tells, in order, all that a push meant for one recipient: what was sent, what was reported, and what was
        planned, deferred or passed over, with reasons and times.

        Args:
            name: The recipient: `apps/{app_key}/pushes/{msg_id}/recipients/{registration_id}`.
        """
        request = fill(
            ExplainRecipientRequest(),
            name=name,
        )
        return self._caller.unary_unary("ExplainRecipient", self._stub.ExplainRecipient, request, timeout)

    def create_subscription(
        self,
        *,
        parent: str = "",
        subscription_id: str = "",
        subscription: Subscription | Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> CreateSubscriptionResponse:
        """CreateSubscription stores a new subscription. It gets the events that are stored from now on.

        Args:
            parent: The app: `apps/{app_key}`.
            subscription_id: The last part of the new subscription's name: lower-case letters, digits and hyphens, up to 63, beginning with a letter.
            subscription: The subscription.
        """
        request = fill(
            CreateSubscriptionRequest(),
            parent=parent,
            subscription_id=subscription_id,
            subscription=subscription,
        )
        return self._caller.unary_unary("CreateSubscription", self._stub.CreateSubscription, request, timeout)

    def get_subscription(
        self,
        *,
        name: str = "",
        timeout: float | None = None,
    ) -> GetSubscriptionResponse:
        """GetSubscription returns one subscription, without its secrets.

        Args:
            name: The subscription: `apps/{app_key}/subscriptions/{id}`.
        """
        request = fill(
            GetSubscriptionRequest(),
            name=name,
        )
        return self._caller.unary_unary("GetSubscription", self._stub.GetSubscription, request, timeout)

    def list_subscriptions(
        self,
        *,
        parent: str = "",
        page_size: int = 0,
        page_token: str = "",
        timeout: float | None = None,
    ) -> ListSubscriptionsResponse:
        """ListSubscriptions returns an app's subscriptions in the order of their names, without their secrets.

        Args:
            parent: The app: `apps/{app_key}`.
            page_size: How many to return at most. Default 100, at most 1,000.
            page_token: `next_page_token` of the page before; empty for the first.
        """
        request = fill(
            ListSubscriptionsRequest(),
            parent=parent,
            page_size=page_size,
            page_token=page_token,
        )
        return self._caller.unary_unary("ListSubscriptions", self._stub.ListSubscriptions, request, timeout)

    def iter_subscriptions(
        self,
        *,
        parent: str = "",
        page_size: int = 0,
        page_token: str = "",
        timeout: float | None = None,
    ) -> Iterator[Subscription]:
        """Yields what list_subscriptions returns, page after page; the timeout is for each of them."""
        for page in pages(
            self.list_subscriptions,
            parent=parent,
            page_size=page_size,
            page_token=page_token,
            timeout=timeout,
        ):
            yield from page.subscriptions

    def update_subscription(
        self,
        *,
        subscription: Subscription | Mapping[str, Any] | None = None,
        update_mask: field_mask_pb2.FieldMask | Iterable[str] | None = None,
        timeout: float | None = None,
    ) -> UpdateSubscriptionResponse:
        """UpdateSubscription changes a subscription, within a second. Events that were not delivered yet are posted by the new rules,
        at once.

        Args:
            subscription: The subscription with its new values; `name` says which. With `etag`, the change is made only if it is still the
            subscription's; without, in any case. The rules hold for the subscription as it becomes.
            update_mask: The fields to change, for example `paused`. Absent: those that are set in `subscription`. `*`: all that can be changed but
            `secrets`, which are changed only where they are given.
        """
        request = fill(
            UpdateSubscriptionRequest(),
            subscription=subscription,
            update_mask=update_mask,
        )
        return self._caller.unary_unary("UpdateSubscription", self._stub.UpdateSubscription, request, timeout)

    def rotate_subscription_secret(
        self,
        *,
        name: str = "",
        keep_previous: duration_pb2.Duration | timedelta | None = None,
        timeout: float | None = None,
    ) -> RotateSubscriptionSecretResponse:
        """RotateSubscriptionSecret makes up a new secret, and returns it. The one before stays good for a while: until then requests are
        signed with both, so that the receiver can change at its leisure.

        Args:
            name: The subscription: `apps/{app_key}/subscriptions/{id}`.
            keep_previous: How long the secret before stays good. Default 24 h, at most 30 days; 0 s ends it at once.
        """
        request = fill(
            RotateSubscriptionSecretRequest(),
            name=name,
            keep_previous=keep_previous,
        )
        return self._caller.unary_unary("RotateSubscriptionSecret", self._stub.RotateSubscriptionSecret, request, timeout)

    def delete_subscription(
        self,
        *,
        name: str = "",
        etag: str = "",
        timeout: float | None = None,
    ) -> DeleteSubscriptionResponse:
        """DeleteSubscription removes a subscription. What it had not delivered is not delivered any more; its dead letters go too.

        Args:
            name: The subscription: `apps/{app_key}/subscriptions/{id}`.
            etag: Delete only if this is still the subscription's etag. Empty: in any case.
        """
        request = fill(
            DeleteSubscriptionRequest(),
            name=name,
            etag=etag,
        )
        return self._caller.unary_unary("DeleteSubscription", self._stub.DeleteSubscription, request, timeout)


class DeviceService:
    """DeviceService keeps what is known of an app's devices: what templates and conditions of resend policies can use, and which
    devices are gone. Devices need not be known to get pushes. Credentials are as for PushService.
    """

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._stub = DeviceServiceStub(caller.channel)

    def set_devices(
        self,
        *,
        parent: str = "",
        devices: Iterable[Device | Mapping[str, Any]] | None = None,
        timeout: float | None = None,
    ) -> SetDevicesResponse:
        """SetDevices stores attributes, time zones and locales of up to 10,000 devices, all or nothing.

        Args:
            parent: The app: `apps/{app_key}`.
            devices: The devices, 1 to 10,000, none twice. What they are set to replaces what was set before, attributes included.
        """
        request = fill(
            SetDevicesRequest(),
            parent=parent,
            devices=devices,
        )
        return self._caller.unary_unary("SetDevices", self._stub.SetDevices, request, timeout)

    def import_devices(self, requests: Iterable[ImportDevicesRequest], *, timeout: float | None = None) -> ImportDevicesResponse:
        """ImportDevices does what SetDevices does, for any number of devices. Each message of the stream is stored by itself before
        the next is read; a stream that breaks off can be repeated from its beginning.

        Without a timeout it may take as long as it does.
        """
        return self._caller.stream_unary(self._stub.ImportDevices, requests, timeout)

    def get_device(
        self,
        *,
        name: str = "",
        timeout: float | None = None,
    ) -> GetDeviceResponse:
        """GetDevice returns one device, NOT_FOUND if nothing is known of it.

        Args:
            name: The device: `apps/{app_key}/devices/{registration_id}`.
        """
        request = fill(
            GetDeviceRequest(),
            name=name,
        )
        return self._caller.unary_unary("GetDevice", self._stub.GetDevice, request, timeout)

    def delete_device(
        self,
        *,
        name: str = "",
        timeout: float | None = None,
    ) -> DeleteDeviceResponse:
        """DeleteDevice forgets what is known of a device, its invalidity included. The device itself stays at EngageLab.

        Args:
            name: The device: `apps/{app_key}/devices/{registration_id}`.
        """
        request = fill(
            DeleteDeviceRequest(),
            name=name,
        )
        return self._caller.unary_unary("DeleteDevice", self._stub.DeleteDevice, request, timeout)

    def list_invalid_devices(
        self,
        *,
        parent: str = "",
        page_size: int = 0,
        page_token: str = "",
        timeout: float | None = None,
    ) -> ListInvalidDevicesResponse:
        """ListInvalidDevices returns the devices that get nothing any more, in the order of their registration ids: page by page, a
        complete export.

        Args:
            parent: The app: `apps/{app_key}`.
            page_size: How many to return at most. Default 100, at most 1,000.
            page_token: `next_page_token` of the page before; empty for the first.
        """
        request = fill(
            ListInvalidDevicesRequest(),
            parent=parent,
            page_size=page_size,
            page_token=page_token,
        )
        return self._caller.unary_unary("ListInvalidDevices", self._stub.ListInvalidDevices, request, timeout)

    def iter_invalid_devices(
        self,
        *,
        parent: str = "",
        page_size: int = 0,
        page_token: str = "",
        timeout: float | None = None,
    ) -> Iterator[Device]:
        """Yields what list_invalid_devices returns, page after page; the timeout is for each of them."""
        for page in pages(
            self.list_invalid_devices,
            parent=parent,
            page_size=page_size,
            page_token=page_token,
            timeout=timeout,
        ):
            yield from page.devices

    def revive_devices(
        self,
        *,
        parent: str = "",
        registration_ids: Iterable[str] | None = None,
        timeout: float | None = None,
    ) -> ReviveDevicesResponse:
        """ReviveDevices lets devices get pushes again, for example after an app was installed anew. Devices that are not invalid stay
        as they are. A device that reports life revives by itself.

        Args:
            parent: The app: `apps/{app_key}`.
            registration_ids: The devices, 1 to 10,000.
        """
        request = fill(
            ReviveDevicesRequest(),
            parent=parent,
            registration_ids=registration_ids,
        )
        return self._caller.unary_unary("ReviveDevices", self._stub.ReviveDevices, request, timeout)


class PushService:
    """PushService sends pushes through EngageLab and shows them. Callers need an app's credentials (`Basic
    appKey:masterSecret`) and see that app only, or an admin's token (`Bearer …`).
    """

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._stub = PushServiceStub(caller.channel)

    def create_push(
        self,
        *,
        parent: str = "",
        push: Push | Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> CreatePushResponse:
        """CreatePush stores a push durably and sends it. It waits a moment for EngageLab's answer to the first request: a
        permanent refusal comes back as ENGAGELAB_REFUSED and nothing was sent. If EngageLab is slow, over quota or down,
        the push is accepted, stays queued and is retried until its time to live ends.

        A repeated call with the same request_id and content returns the first push and sends nothing.

        Args:
            parent: The app that sends: `apps/{app_key}`.
            push: The push.
        """
        request = fill(
            CreatePushRequest(),
            parent=parent,
            push=push,
        )
        return self._caller.unary_unary("CreatePush", self._stub.CreatePush, request, timeout)

    def validate_push(
        self,
        *,
        parent: str = "",
        push: Push | Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> ValidatePushResponse:
        """ValidatePush lets EngageLab check a push. Nothing is stored or sent.

        Args:
            parent: The app: `apps/{app_key}`.
            push: The push.
        """
        request = fill(
            ValidatePushRequest(),
            parent=parent,
            push=push,
        )
        return self._caller.unary_unary("ValidatePush", self._stub.ValidatePush, request, timeout)

    def withdraw_push(
        self,
        *,
        name: str = "",
        timeout: float | None = None,
    ) -> WithdrawPushResponse:
        """WithdrawPush cancels what is still to come of a push, follow-ups included, and asks EngageLab to take back what
        devices have not received. It may be repeated while the push is WITHDRAWING; a push that is withdrawn already gets
        WRONG_STATE. If EngageLab refuses (ENGAGELAB_REFUSED), for example because a message is older than a day, the push is
        withdrawn all the same as far as Susul goes: nothing more is sent.

        Args:
            name: The push: `apps/{app_key}/pushes/{msg_id}`.
        """
        request = fill(
            WithdrawPushRequest(),
            name=name,
        )
        return self._caller.unary_unary("WithdrawPush", self._stub.WithdrawPush, request, timeout)

    def get_push(
        self,
        *,
        name: str = "",
        timeout: float | None = None,
    ) -> GetPushResponse:
        """GetPush returns one push.

        Args:
            name: The push: `apps/{app_key}/pushes/{msg_id}`.
        """
        request = fill(
            GetPushRequest(),
            name=name,
        )
        return self._caller.unary_unary("GetPush", self._stub.GetPush, request, timeout)

    def list_pushes(
        self,
        *,
        parent: str = "",
        page_size: int = 0,
        page_token: str = "",
        timeout: float | None = None,
    ) -> ListPushesResponse:
        """ListPushes returns an app's pushes, newest first, without their documents.

        Args:
            parent: The app: `apps/{app_key}`.
            page_size: How many to return at most. Default 50, at most 1,000.
            page_token: `next_page_token` of the page before; empty for the first.
        """
        request = fill(
            ListPushesRequest(),
            parent=parent,
            page_size=page_size,
            page_token=page_token,
        )
        return self._caller.unary_unary("ListPushes", self._stub.ListPushes, request, timeout)

    def iter_pushes(
        self,
        *,
        parent: str = "",
        page_size: int = 0,
        page_token: str = "",
        timeout: float | None = None,
    ) -> Iterator[Push]:
        """Yields what list_pushes returns, page after page; the timeout is for each of them."""
        for page in pages(
            self.list_pushes,
            parent=parent,
            page_size=page_size,
            page_token=page_token,
            timeout=timeout,
        ):
            yield from page.pushes


class RelayService:
    """RelayService shows and steers how events reach the business: the endpoints of subscriptions and of callback_urls, what was given
    up, and what is posted again. Credentials are as for PushService. Subscriptions themselves are CallbackService's.
    """

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._stub = RelayServiceStub(caller.channel)

    def get_relay_endpoint(
        self,
        *,
        name: str = "",
        timeout: float | None = None,
    ) -> GetRelayEndpointResponse:
        """GetRelayEndpoint returns an endpoint and its health.

        Args:
            name: The endpoint: `apps/{app_key}/relayEndpoints/{id}`.
        """
        request = fill(
            GetRelayEndpointRequest(),
            name=name,
        )
        return self._caller.unary_unary("GetRelayEndpoint", self._stub.GetRelayEndpoint, request, timeout)

    def list_relay_endpoints(
        self,
        *,
        parent: str = "",
        page_size: int = 0,
        page_token: str = "",
        timeout: float | None = None,
    ) -> ListRelayEndpointsResponse:
        """ListRelayEndpoints returns an app's endpoints in the order of their names.

        Args:
            parent: The app: `apps/{app_key}`.
            page_size: How many to return at most. Default 100, at most 1,000.
            page_token: `next_page_token` of the page before; empty for the first.
        """
        request = fill(
            ListRelayEndpointsRequest(),
            parent=parent,
            page_size=page_size,
            page_token=page_token,
        )
        return self._caller.unary_unary("ListRelayEndpoints", self._stub.ListRelayEndpoints, request, timeout)

    def iter_relay_endpoints(
        self,
        *,
        parent: str = "",
        page_size: int = 0,
        page_token: str = "",
        timeout: float | None = None,
    ) -> Iterator[RelayEndpoint]:
        """Yields what list_relay_endpoints returns, page after page; the timeout is for each of them."""
        for page in pages(
            self.list_relay_endpoints,
            parent=parent,
            page_size=page_size,
            page_token=page_token,
            timeout=timeout,
        ):
            yield from page.relay_endpoints

    def pause_relay_endpoint(
        self,
        *,
        name: str = "",
        timeout: float | None = None,
    ) -> PauseRelayEndpointResponse:
        """PauseRelayEndpoint keeps an endpoint of callback_urls from being posted to. Its events wait, as long as the server's
        `storage.retention`. A subscription has `paused` for this.

        Args:
            name: The endpoint: `apps/{app_key}/relayEndpoints/{id}`.
        """
        request = fill(
            PauseRelayEndpointRequest(),
            name=name,
        )
        return self._caller.unary_unary("PauseRelayEndpoint", self._stub.PauseRelayEndpoint, request, timeout)

    def resume_relay_endpoint(
        self,
        *,
        name: str = "",
        timeout: float | None = None,
    ) -> ResumeRelayEndpointResponse:
        """ResumeRelayEndpoint has an endpoint that is paused, gone or failing tried at once.

        Args:
            name: The endpoint: `apps/{app_key}/relayEndpoints/{id}`.
        """
        request = fill(
            ResumeRelayEndpointRequest(),
            name=name,
        )
        return self._caller.unary_unary("ResumeRelayEndpoint", self._stub.ResumeRelayEndpoint, request, timeout)

    def test_relay_endpoint(
        self,
        *,
        name: str = "",
        timeout: float | None = None,
    ) -> TestRelayEndpointResponse:
        """TestRelayEndpoint posts a made-up event, signed like any other, and waits for the answer. Its `susul.test` is true. Neither
        the endpoint's health nor its order of events is touched; it works on a paused endpoint too.

        Args:
            name: The endpoint: `apps/{app_key}/relayEndpoints/{id}`.
        """
        request = fill(
            TestRelayEndpointRequest(),
            name=name,
        )
        return self._caller.unary_unary("TestRelayEndpoint", self._stub.TestRelayEndpoint, request, timeout)

    def list_dead_letters(
        self,
        *,
        parent: str = "",
        page_size: int = 0,
        page_token: str = "",
        timeout: float | None = None,
    ) -> ListDeadLettersResponse:
        """ListDeadLetters returns what an endpoint did not get, the longest given up first.

        Args:
            parent: The endpoint: `apps/{app_key}/relayEndpoints/{id}`.
            page_size: How many to return at most. Default 100, at most 1,000.
            page_token: `next_page_token` of the page before; empty for the first.
        """
        request = fill(
            ListDeadLettersRequest(),
            parent=parent,
            page_size=page_size,
            page_token=page_token,
        )
        return self._caller.unary_unary("ListDeadLetters", self._stub.ListDeadLetters, request, timeout)

    def iter_dead_letters(
        self,
        *,
        parent: str = "",
        page_size: int = 0,
        page_token: str = "",
        timeout: float | None = None,
    ) -> Iterator[DeadLetter]:
        """Yields what list_dead_letters returns, page after page; the timeout is for each of them."""
        for page in pages(
            self.list_dead_letters,
            parent=parent,
            page_size=page_size,
            page_token=page_token,
            timeout=timeout,
        ):
            yield from page.dead_letters

    def delete_dead_letter(
        self,
        *,
        name: str = "",
        timeout: float | None = None,
    ) -> DeleteDeadLetterResponse:
        """DeleteDeadLetter forgets that events were given up. They stay stored.

        Args:
            name: The dead letter: `apps/{app_key}/relayEndpoints/{id}/deadLetters/{n}`.
        """
        request = fill(
            DeleteDeadLetterRequest(),
            name=name,
        )
        return self._caller.unary_unary("DeleteDeadLetter", self._stub.DeleteDeadLetter, request, timeout)

    def replay_events(
        self,
        *,
        parent: str = "",
        dead_letter: str = "",
        event_id: str = "",
        msg_id: str = "",
        start_time: timestamp_pb2.Timestamp | datetime | None = None,
        end_time: timestamp_pb2.Timestamp | datetime | None = None,
        timeout: float | None = None,
    ) -> ReplayEventsResponse:
        """ReplayEvents has stored events posted to an endpoint again: a dead letter's, which thereby is one no more; one event; or those of
        a push or a time span.

        Args:
            parent: The endpoint: `apps/{app_key}/relayEndpoints/{id}`.
            dead_letter: A dead letter of the endpoint: `apps/{app_key}/relayEndpoints/{id}/deadLetters/{n}`.
            event_id: One event: its `susul.event_id`, which is its sequence.
            msg_id: The events of this push.
            start_time: Only events that happened at this time or later.
            end_time: Only events that happened before this time. Default: all that are stored now.
        """
        request = fill(
            ReplayEventsRequest(),
            parent=parent,
            dead_letter=dead_letter,
            event_id=event_id,
            msg_id=msg_id,
            start_time=start_time,
            end_time=end_time,
        )
        return self._caller.unary_unary("ReplayEvents", self._stub.ReplayEvents, request, timeout)

    def list_replays(
        self,
        *,
        parent: str = "",
        page_size: int = 0,
        page_token: str = "",
        timeout: float | None = None,
    ) -> ListReplaysResponse:
        """ListReplays returns the replays that are not done yet, the earliest first.

        Args:
            parent: The endpoint: `apps/{app_key}/relayEndpoints/{id}`.
            page_size: How many to return at most. Default 100, at most 1,000.
            page_token: `next_page_token` of the page before; empty for the first.
        """
        request = fill(
            ListReplaysRequest(),
            parent=parent,
            page_size=page_size,
            page_token=page_token,
        )
        return self._caller.unary_unary("ListReplays", self._stub.ListReplays, request, timeout)

    def iter_replays(
        self,
        *,
        parent: str = "",
        page_size: int = 0,
        page_token: str = "",
        timeout: float | None = None,
    ) -> Iterator[Replay]:
        """Yields what list_replays returns, page after page; the timeout is for each of them."""
        for page in pages(
            self.list_replays,
            parent=parent,
            page_size=page_size,
            page_token=page_token,
            timeout=timeout,
        ):
            yield from page.replays

    def cancel_replay(
        self,
        *,
        name: str = "",
        timeout: float | None = None,
    ) -> CancelReplayResponse:
        """CancelReplay stops a replay. What it posted is not undone.

        Args:
            name: The replay: `apps/{app_key}/relayEndpoints/{id}/replays/{n}`.
        """
        request = fill(
            CancelReplayRequest(),
            name=name,
        )
        return self._caller.unary_unary("CancelReplay", self._stub.CancelReplay, request, timeout)


class ResendPolicyService:
    """ResendPolicyService manages resend policies. All calls need an admin's token (`Bearer …`). A change is live on every
    node within a second.
    """

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._stub = ResendPolicyServiceStub(caller.channel)

    def create_resend_policy(
        self,
        *,
        resend_policy_id: str = "",
        resend_policy: ResendPolicy | Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> CreateResendPolicyResponse:
        """CreateResendPolicy stores a new policy.

        Args:
            resend_policy_id: The last part of the new policy's name: lower-case letters, digits and hyphens, up to 63, beginning with a letter.
            resend_policy: The policy.
        """
        request = fill(
            CreateResendPolicyRequest(),
            resend_policy_id=resend_policy_id,
            resend_policy=resend_policy,
        )
        return self._caller.unary_unary("CreateResendPolicy", self._stub.CreateResendPolicy, request, timeout)

    def get_resend_policy(
        self,
        *,
        name: str = "",
        timeout: float | None = None,
    ) -> GetResendPolicyResponse:
        """GetResendPolicy returns one policy.

        Args:
            name: The policy: `resendPolicies/{id}`.
        """
        request = fill(
            GetResendPolicyRequest(),
            name=name,
        )
        return self._caller.unary_unary("GetResendPolicy", self._stub.GetResendPolicy, request, timeout)

    def list_resend_policies(
        self,
        *,
        page_size: int = 0,
        page_token: str = "",
        timeout: float | None = None,
    ) -> ListResendPoliciesResponse:
        """ListResendPolicies returns policies in the order of their names.

        Args:
            page_size: How many to return at most. Default 50, at most 1,000.
            page_token: `next_page_token` of the page before; empty for the first.
        """
        request = fill(
            ListResendPoliciesRequest(),
            page_size=page_size,
            page_token=page_token,
        )
        return self._caller.unary_unary("ListResendPolicies", self._stub.ListResendPolicies, request, timeout)

    def iter_resend_policies(
        self,
        *,
        page_size: int = 0,
        page_token: str = "",
        timeout: float | None = None,
    ) -> Iterator[ResendPolicy]:
        """Yields what list_resend_policies returns, page after page; the timeout is for each of them."""
        for page in pages(
            self.list_resend_policies,
            page_size=page_size,
            page_token=page_token,
            timeout=timeout,
        ):
            yield from page.resend_policies

    def update_resend_policy(
        self,
        *,
        resend_policy: ResendPolicy | Mapping[str, Any] | None = None,
        update_mask: field_mask_pb2.FieldMask | Iterable[str] | None = None,
        timeout: float | None = None,
    ) -> UpdateResendPolicyResponse:
        """UpdateResendPolicy changes a policy. Pushes that have the policy keep the steps and texts that they were accepted
        with; pausing it stops the requests and the steps that come due until it is resumed.

        Args:
            resend_policy: The policy with its new values; `name` says which. With `etag`, the change is made only if it is still the policy's;
            without, in any case. The rules hold for the policy as it becomes, not for the part of it that is given here.
            update_mask: The fields to change, for example `paused` or `trigger.within`; `steps` changes as a whole. Absent: those that are set
            in `resend_policy`. `*`: all that can be changed.
        """
        request = fill(
            UpdateResendPolicyRequest(),
            resend_policy=resend_policy,
            update_mask=update_mask,
        )
        return self._caller.unary_unary("UpdateResendPolicy", self._stub.UpdateResendPolicy, request, timeout)

    def delete_resend_policy(
        self,
        *,
        name: str = "",
        etag: str = "",
        timeout: float | None = None,
    ) -> DeleteResendPolicyResponse:
        """DeleteResendPolicy removes a policy and stops the pending steps of the pushes that have it.

        Args:
            name: The policy: `resendPolicies/{id}`.
            etag: Delete only if this is still the policy's etag. Empty: in any case.
        """
        request = fill(
            DeleteResendPolicyRequest(),
            name=name,
            etag=etag,
        )
        return self._caller.unary_unary("DeleteResendPolicy", self._stub.DeleteResendPolicy, request, timeout)

    def watch_resend_policies(
        self,
        *,
        timeout: float | None = None,
    ) -> Iterator[WatchResendPoliciesResponse]:
        """WatchResendPolicies streams the policies as they are, then `in_sync`, then every change."""
        request = fill(
            WatchResendPoliciesRequest(),
        )
        return self._caller.unary_stream(self._stub.WatchResendPolicies, request, timeout)

    def preview_resend_policy(
        self,
        *,
        push: str = "",
        resend_policy: ResendPolicy | Mapping[str, Any] | None = None,
        step: int = 0,
        registration_ids: Iterable[str] | None = None,
        timeout: float | None = None,
    ) -> PreviewResendPolicyResponse:
        """PreviewResendPolicy renders a step for given recipients of a push, and counts who would get it now. Nothing is stored or
        sent. It looks at all recipients of the push, in seconds for a million of them.

        Args:
            push: The push: `apps/{app_key}/pushes/{msg_id}`.
            resend_policy: A draft, or the stored policy if it has only a `name`. Absent: the policy that the push is pinned to.
            step: The step: 1 to 11.
            registration_ids: The recipients to render for: at most 100. Empty: the first 5 who would get it.
        """
        request = fill(
            PreviewResendPolicyRequest(),
            push=push,
            resend_policy=resend_policy,
            step=step,
            registration_ids=registration_ids,
        )
        return self._caller.unary_unary("PreviewResendPolicy", self._stub.PreviewResendPolicy, request, timeout)

    def backtest_resend_policy(
        self,
        *,
        parent: str = "",
        resend_policy: ResendPolicy | Mapping[str, Any] | None = None,
        start_time: timestamp_pb2.Timestamp | datetime | None = None,
        end_time: timestamp_pb2.Timestamp | datetime | None = None,
        max_pushes: int = 0,
        timeout: float | None = None,
    ) -> BacktestResendPolicyResponse:
        """BacktestResendPolicy runs a policy over an app's stored pushes and says whom it would have reached, when, and how many of
        those clicked later anyway, without a follow-up of this policy. Frequency caps and minimum gaps are not part of it, nor
        is what was not stored: attributes of devices are those of today. Nothing is stored or sent.

        Args:
            parent: The app whose pushes are looked at: `apps/{app_key}`.
            resend_policy: A draft, or the stored policy if it has only a `name`. Pushes are chosen by its `match`; without one, those that have the
            stored policy of this name. Pushes that were withdrawn are left out. Whether the policy or a step is paused does not count.
            start_time: Pushes that were accepted from this time on. Default: a week before `end_time`.
            end_time: Pushes that were accepted before this time. Default: now.
            max_pushes: How many pushes to look at, at most; the newest first. Default 100, at most 1,000. Together they may have 5,000,000
            recipients, else TOO_LARGE.
        """
        request = fill(
            BacktestResendPolicyRequest(),
            parent=parent,
            resend_policy=resend_policy,
            start_time=start_time,
            end_time=end_time,
            max_pushes=max_pushes,
        )
        return self._caller.unary_unary("BacktestResendPolicy", self._stub.BacktestResendPolicy, request, timeout)

    def get_resend_policy_report(
        self,
        *,
        name: str = "",
        timeout: float | None = None,
    ) -> GetResendPolicyReportResponse:
        """GetResendPolicyReport returns what a policy's steps brought, over all pushes whose click window has ended.

        Args:
            name: The report: `resendPolicies/{id}/report`.
        """
        request = fill(
            GetResendPolicyReportRequest(),
            name=name,
        )
        return self._caller.unary_unary("GetResendPolicyReport", self._stub.GetResendPolicyReport, request, timeout)

    def get_follow_up_switch(
        self,
        *,
        name: str = "",
        timeout: float | None = None,
    ) -> GetFollowUpSwitchResponse:
        """GetFollowUpSwitch tells whether an app's follow-ups are stopped.

        Args:
            name: The switch: `apps/{app_key}/followUpSwitch`.
        """
        request = fill(
            GetFollowUpSwitchRequest(),
            name=name,
        )
        return self._caller.unary_unary("GetFollowUpSwitch", self._stub.GetFollowUpSwitch, request, timeout)

    def update_follow_up_switch(
        self,
        *,
        follow_up_switch: FollowUpSwitch | Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> UpdateFollowUpSwitchResponse:
        """UpdateFollowUpSwitch stops all follow-ups of an app at once, or lets them go on. While they are stopped, follow-ups' requests
        and steps that come due are cancelled, with the reason FOLLOW_UPS_STOPPED. What comes due after is sent, also what waits for
        the end of quiet hours meanwhile. Pushes of the business's own go on.

        Args:
            follow_up_switch: The switch as it is to be.
        """
        request = fill(
            UpdateFollowUpSwitchRequest(),
            follow_up_switch=follow_up_switch,
        )
        return self._caller.unary_unary("UpdateFollowUpSwitch", self._stub.UpdateFollowUpSwitch, request, timeout)
