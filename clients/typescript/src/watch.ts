import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import type { Client } from "@connectrpc/connect";
import { delayMs, pause } from "./backoff.js";
import { SusulError } from "./errors.js";
import type { CallbackService, WatchEventsRequestSchema, WatchEventsResponse } from "./gen/susul/v1/callback_service_pb.js";

const maxDelayMs = 10_000;

/** Errors that come again however often a watch is begun. */
const permanent = new Set([
  Code.InvalidArgument,
  Code.Unauthenticated,
  Code.PermissionDenied,
  Code.NotFound,
  Code.FailedPrecondition,
  Code.OutOfRange,
  Code.Unimplemented,
]);

/** How a watch is carried out. */
export interface WatchOptions {
  /** Ends the watch: the iteration is done then. */
  signal?: AbortSignal;
  /** Is told why a stream ended, when another is about to be begun; undefined if the server just ended it. */
  onReconnect?: (error: SusulError | undefined) => void;
}

/** Watches events as Susul.watchEvents tells. */
export async function* watch(
  callbacks: Client<typeof CallbackService>,
  request: MessageInitShape<typeof WatchEventsRequestSchema>,
  options: WatchOptions,
  closed: AbortSignal,
): AsyncGenerator<WatchEventsResponse, void, undefined> {
  const stop = options.signal ? AbortSignal.any([options.signal, closed]) : closed;
  let resumeToken = request.resumeToken ?? "";
  for (let failures = 0; !stop.aborted; ) {
    const stream = new AbortController(); // an iteration that is left does not end its stream by itself
    let error: SusulError | undefined;
    let answers = 0;
    try {
      const signal = AbortSignal.any([stream.signal, stop]);
      for await (const answer of callbacks.watchEvents({ ...request, resumeToken }, { signal })) {
        if (stop.aborted) {
          return;
        }
        if (++answers > 1) {
          failures = 0; // the first comes from any stream that can be begun
        }
        yield answer;
        resumeToken = answer.resumeToken || resumeToken; // it was dealt with: the next one was asked for
      }
    } catch (thrown) {
      if (stop.aborted) {
        return;
      }
      error = SusulError.from(thrown);
      if (!(thrown instanceof SusulError) || permanent.has(error.code)) {
        throw thrown;
      }
    } finally {
      stream.abort();
    }
    options.onReconnect?.(error);
    await pause(delayMs(++failures, error, maxDelayMs), stop);
  }
}
