import { randomUUID } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import type { DescMessage, DescMethodUnary, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { Code, createContextValues } from "@connectrpc/connect";
import type { StreamResponse, Transport, UnaryResponse } from "@connectrpc/connect";
import { delayMs, pause } from "./backoff.js";
import { neverArrived, SusulError } from "./errors.js";
import { CallbackService } from "./gen/susul/v1/callback_service_pb.js";
import { DeviceService } from "./gen/susul/v1/device_service_pb.js";
import type { CreatePushRequest } from "./gen/susul/v1/push_service_pb.js";
import { CreatePushRequestSchema, PushService } from "./gen/susul/v1/push_service_pb.js";
import { RelayService } from "./gen/susul/v1/relay_service_pb.js";
import { ResendPolicyService } from "./gen/susul/v1/resend_policy_service_pb.js";

const defaultTimeoutMs = 30_000;
const maxAttempts = 4;
const maxDelayMs = 2_000;

/** Calls besides `Get…` and `List…` that change nothing more when they are repeated; CreatePush by its request_id. */
const repeatable = new Set<DescMethodUnary>([
  PushService.method.createPush,
  PushService.method.validatePush,
  CallbackService.method.reportCallbacks,
  CallbackService.method.explainRecipient,
  DeviceService.method.setDevices,
  DeviceService.method.reviveDevices,
  RelayService.method.pauseRelayEndpoint,
  RelayService.method.resumeRelayEndpoint,
  ResendPolicyService.method.previewResendPolicy,
  ResendPolicyService.method.backtestResendPolicy,
  ResendPolicyService.method.updateFollowUpSwitch,
]);

/**
 * Gives calls their deadlines, retries and errors. What `closed` ends is cancelled. Streams have no deadline of their own and are not
 * retried.
 */
export function resilient(inner: Transport, closed: AbortSignal): Transport {
  return {
    async unary<I extends DescMessage, O extends DescMessage>(
      method: DescMethodUnary<I, O>,
      signal: AbortSignal | undefined,
      timeoutMs: number | undefined,
      header: HeadersInit | undefined,
      input: MessageInitShape<I>,
      contextValues = createContextValues(),
    ): Promise<UnaryResponse<I, O>> {
      const stop = either(signal, closed);
      const message = prepare(method, input);
      const ends = endOf(timeoutMs ?? defaultTimeoutMs);
      for (let failures = 1; ; failures++) {
        try {
          return await inner.unary(method, stop, remainingMs(ends), header, message, contextValues);
        } catch (thrown) {
          const error = SusulError.from(thrown, stop);
          const delay = neverArrived(error) ? 0 : delayMs(failures, error, maxDelayMs);
          if (failures === maxAttempts || !mayRepeat(method, error) || performance.now() + delay >= ends) {
            throw error;
          }
          await pause(delay, stop);
          if (stop.aborted) {
            throw SusulError.from(stop.reason, stop);
          }
        }
      }
    },

    async stream(method, signal, timeoutMs, header, input, contextValues) {
      const stop = either(signal, closed);
      try {
        return withErrors(await inner.stream(method, stop, timeoutMs ?? 0, header, input, contextValues), stop);
      } catch (thrown) {
        throw SusulError.from(thrown, stop);
      }
    },
  };
}

function either(signal: AbortSignal | undefined, closed: AbortSignal): AbortSignal {
  return signal ? AbortSignal.any([signal, closed]) : closed;
}

/** The moment at which a time-out ends; 0 and less stand for none, as they do to connect. */
function endOf(timeoutMs: number): number {
  return timeoutMs > 0 ? performance.now() + timeoutMs : Infinity;
}

function remainingMs(ends: number): number {
  return ends === Infinity ? 0 : Math.max(Math.ceil(ends - performance.now()), 1);
}

function mayRepeat(method: DescMethodUnary, error: SusulError): boolean {
  if (neverArrived(error)) {
    return true;
  }
  const cured =
    error.code === Code.Unavailable || (error.code === Code.ResourceExhausted && error.retryAfterMs !== undefined);
  return cured && (repeatable.has(method) || /^(get|list)[A-Z]/.test(method.localName));
}

/** Returns the message to send, the same for all attempts. */
function prepare<I extends DescMessage>(method: DescMethodUnary<I>, input: MessageInitShape<I>): MessageInitShape<I> {
  const message: MessageShape<DescMessage> = create<DescMessage>(method.input, input);
  return (isCreatePush(message) ? withRequestId(message) : message) as MessageInitShape<I>;
}

function isCreatePush(message: MessageShape<DescMessage>): message is CreatePushRequest {
  return message.$typeName === CreatePushRequestSchema.typeName;
}

/** Fills in a request_id where neither it nor EngageLab's own `options.cid` keeps a repetition from being sent twice. */
function withRequestId(request: CreatePushRequest): CreatePushRequest {
  const { push } = request;
  const options = push?.additional?.["options"];
  const cid = typeof options === "object" && options !== null && "cid" in options && options["cid"];
  return !push || push.requestId || cid ? request : { ...request, push: { ...push, requestId: randomUUID() } };
}

function withErrors<I extends DescMessage, O extends DescMessage>(
  response: StreamResponse<I, O>,
  signal: AbortSignal,
): StreamResponse<I, O> {
  async function* messages(): AsyncGenerator<MessageShape<O>> {
    try {
      yield* response.message;
    } catch (thrown) {
      throw SusulError.from(thrown, signal);
    }
  }
  return { ...response, message: messages() };
}
