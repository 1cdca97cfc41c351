import { durationMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "./gen/google/rpc/error_details_pb.js";
import type { ErrorReason } from "./gen/susul/v1/errors_pb.js";

const domain = "susul.dev";

/** The names of ErrorReason, which tells what each means; others may come from a newer server. */
export type Reason = Exclude<keyof typeof ErrorReason, "UNSPECIFIED"> | (string & {});

/** What is wrong with one field of a request. */
export interface FieldViolation {
  /** The field's path in the request, for example `push.options.big_push_duration`. */
  field: string;
  /** What is wrong with it, for people. */
  description: string;
}

/** Why a call failed. Branch on `reason`, or on `code` where there is none; the message is for people and may change. */
export class SusulError extends Error {
  override readonly name = "SusulError";

  /** gRPC's code. UNAVAILABLE also stands for a connection that broke, or could not be made. */
  readonly code: Code;

  /** Susul's own reason; empty for errors that are not Susul's, such as the end of a deadline. */
  readonly reason: Reason;

  /** What goes with the reason, for example `resource` with NOT_FOUND. */
  readonly metadata: Readonly<Record<string, string>>;

  /** All faults of the request's fields. */
  readonly fieldViolations: readonly FieldViolation[];

  /** How long to wait before a retry; undefined where none is advised. */
  readonly retryAfterMs: number | undefined;

  private constructor(cause: ConnectError, code: Code) {
    super(cause.rawMessage, { cause });
    this.code = code;
    const info = cause.findDetails(ErrorInfoSchema).find((detail) => detail.domain === domain);
    this.reason = info?.reason ?? "";
    this.metadata = { ...info?.metadata };
    this.fieldViolations = cause
      .findDetails(BadRequestSchema)
      .flatMap((detail) => detail.fieldViolations)
      .map(({ field, description }) => ({ field, description }));
    const delay = cause.findDetails(RetryInfoSchema)[0]?.retryDelay;
    this.retryAfterMs = delay && durationMs(delay);
  }

  /** Makes a SusulError of whatever a call threw; `signal` is the caller's. */
  static from(thrown: unknown, signal?: AbortSignal): SusulError {
    if (thrown instanceof SusulError) {
      return thrown;
    }
    const cause = ConnectError.from(thrown);
    return new SusulError(cause, signal?.aborted ? Code.Canceled : wasLost(cause) ? Code.Unavailable : cause.code);
  }
}

/**
 * Whether an error is that of a connection. Those that servers send have a status; without one, Node's own errors and streams that
 * were reset, which is what cancelled and aborted stand for then, are the network's, or of a server that went away.
 */
function wasLost(error: ConnectError): boolean {
  if (error.metadata.has("grpc-status") || error.code === Code.DeadlineExceeded) {
    return false;
  }
  return error.code === Code.Canceled || error.code === Code.Aborted || isNodeError(error.cause);
}

function isNodeError(cause: unknown): boolean {
  return cause instanceof Error && "code" in cause && typeof cause.code === "string";
}

/**
 * Whether a call never got to the server's code, so that any may be repeated: HTTP/2 says so of streams that were begun on a connection
 * whose end was under way.
 */
export function neverArrived({ cause }: SusulError): boolean {
  return cause instanceof ConnectError && !cause.metadata.has("grpc-status") && cause.rawMessage.includes("REFUSED_STREAM");
}
