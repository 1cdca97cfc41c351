import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { Code, ConnectError } from "@connectrpc/connect";
import type { HandlerContext } from "@connectrpc/connect";
import { CallbackService, SusulError } from "../src/index.js";
import type { Susul, WatchEventsRequest, WatchOptions } from "../src/index.js";
import { gone, susulError, take, TestServer } from "./server.js";

/** A stream of events that stands where a resume token says, and what is to happen after so many of them. */
class EventLog extends EventEmitter {
  readonly requests: WatchEventsRequest[] = [];
  open = 0;
  server!: TestServer;
  /** What becomes of each stream in turn, after it brought its events; the last is for all that follow. */
  ends: { after: number; how: (context: HandlerContext) => unknown }[] = [];

  constructor(readonly last: number) {
    super();
  }

  /** Waits until no stream is open. */
  async closed(): Promise<void> {
    while (this.open > 0) {
      await once(this, "closed");
    }
  }

  async *watch(request: WatchEventsRequest, context: HandlerContext) {
    const { after, how } = this.ends[Math.min(this.requests.length, this.ends.length - 1)] ?? { after: Infinity, how: gone };
    this.requests.push(request);
    this.open++;
    try {
      const from = Number(request.resumeToken || "0");
      yield { resumeToken: String(from) };
      for (let sequence = from + 1; sequence <= Math.min(from + after, this.last); sequence++) {
        yield { event: { sequence: BigInt(sequence) }, resumeToken: String(sequence) };
      }
      await how(context);
    } finally {
      this.open--;
      this.emit("closed");
    }
  }

  static async start(t: TestContext, last: number): Promise<EventLog> {
    const log = new EventLog(last);
    log.server = await TestServer.start(t, (router) =>
      router.service(CallbackService, { watchEvents: (request, context) => log.watch(request, context) }),
    );
    return log;
  }
}

const parent = "apps/demo";

interface Consumer extends WatchOptions {
  /** Is told of each event, while the next is waited for. */
  onEvent?: (sequence: number) => void;
}

/** Watches until so many events came, and returns their sequences. */
async function sequences(susul: Susul, count: number, { onEvent, ...options }: Consumer = {}): Promise<number[]> {
  async function* events() {
    for await (const { event } of susul.watchEvents({ parent, msgId: "7", filter: "true" }, options)) {
      if (event) {
        yield Number(event.sequence);
        setImmediate(() => onEvent?.(Number(event.sequence)));
      }
    }
  }
  return take(events(), count);
}

function upTo(last: number): number[] {
  return Array.from({ length: last }, (_, i) => i + 1);
}

test("a stream that ends, however, goes on where it stood", async (t) => {
  const log = await EventLog.start(t, 14);
  const fail = (error: ConnectError) => () => {
    throw error;
  };
  log.ends = [
    { after: 3, how: gone },
    { after: 2, how: gone },
    { after: 1, how: fail(susulError(Code.Unavailable, "STANDBY", { retryAfterMs: 30 })) },
    { after: 0, how: fail(susulError(Code.Unavailable, "STANDBY")) },
    { after: 2, how: fail(susulError(Code.ResourceExhausted, "SLOW_CONSUMER", { metadata: { resume_token: "8" } })) },
    { after: 1, how: () => {} },
    { after: 1, how: fail(susulError(Code.Internal, "INTERNAL")) },
    { after: 4, how: gone },
  ];
  const onEvent = (sequence: number) => {
    if (sequence === 3 || sequence === 5) {
      log.server.cut(sequence === 3 ? "end" : "reset");
    }
  };
  const reasons: string[] = [];
  const onReconnect = (error?: SusulError) => reasons.push(error ? error.reason || (Code[error.code] ?? "") : "ended");
  assert.deepEqual(await sequences(log.server.client(t), 14, { onReconnect, onEvent }), upTo(14));
  assert.deepEqual(log.requests.map((request) => request.resumeToken), ["", "3", "5", "6", "6", "8", "9", "10"]);
  assert.deepEqual(reasons, [
    "Unavailable", "Unavailable", "STANDBY", "STANDBY", "SLOW_CONSUMER", "ended", "INTERNAL",
  ]);
  assert.ok(log.requests.every((request) => request.parent === parent && request.msgId === "7" && request.filter === "true"));
});

test("a server that goes away and comes back is found again", async (t) => {
  const log = await EventLog.start(t, 4);
  log.ends = [{ after: 2, how: gone }];
  const susul = log.server.client(t);
  let stopped: Promise<void> | undefined;
  const failures: (Code | undefined)[] = [];
  const onReconnect = (error?: SusulError) => {
    failures.push(error?.code);
    if (failures.length === 2) {
      const port = Number(log.server.address.split(":")[1]);
      void TestServer.start(t, (router) =>
        router.service(CallbackService, { watchEvents: (request, context) => log.watch(request, context) }), { port });
    }
  };
  const seen: number[] = [];
  for await (const { event } of susul.watchEvents({ parent }, { onReconnect })) {
    if (event) {
      seen.push(Number(event.sequence));
    }
    if (seen.length === 2) {
      stopped ??= log.server.stop();
    }
    if (seen.length === 4) {
      break;
    }
  }
  await stopped;
  assert.deepEqual(seen, upTo(4));
  assert.ok(failures.length >= 2 && failures.every((code) => code === Code.Unavailable), String(failures));
});

test("what was not dealt with comes again to the next watch", async (t) => {
  const log = await EventLog.start(t, 5);
  const susul = log.server.client(t);
  let resumeToken = "";
  const [first] = await take(susul.watchEvents({ parent }), 1);
  assert.deepEqual([first?.event, first?.resumeToken], [undefined, "0"]);
  for await (const answer of susul.watchEvents({ parent, resumeToken: first?.resumeToken ?? "" })) {
    if (answer.event?.sequence === 4n) {
      break; // it was not dealt with
    }
    resumeToken = answer.resumeToken;
  }
  const [, next] = await take(susul.watchEvents({ parent, resumeToken }), 2);
  assert.equal(next?.event?.sequence, 4n);
});

test("an error that no retry cures ends the watch", async (t) => {
  const log = await EventLog.start(t, 1);
  const susul = log.server.client(t);
  for (const [code, reason] of [
    [Code.InvalidArgument, "INVALID_REQUEST"],
    [Code.Unauthenticated, "UNAUTHENTICATED"],
    [Code.PermissionDenied, "PERMISSION_DENIED"],
    [Code.NotFound, "NOT_FOUND"],
  ] as const) {
    log.ends = [{ after: 1, how: () => Promise.reject(susulError(code, reason)) }];
    await assert.rejects(sequences(susul, 2), (thrown) => thrown instanceof SusulError && thrown.reason === reason);
  }
  assert.equal(log.requests.length, 4);
});

test("a watch that is left, stopped or closed ends its stream", async (t) => {
  const log = await EventLog.start(t, 2);
  const susul = log.server.client(t);
  assert.equal((await take(susul.watchEvents({ parent }), 2)).length, 2);
  await log.closed();

  const stop = new AbortController();
  const stopAtTwo = (sequence: number) => sequence === 2 && stop.abort();
  assert.deepEqual(await sequences(susul, 3, { signal: stop.signal, onEvent: stopAtTwo }), upTo(2));
  await log.closed();

  await assert.rejects(async () => {
    for await (const answer of susul.watchEvents({ parent })) {
      throw new RangeError(`the consumer's own, at ${answer.resumeToken}`);
    }
  }, RangeError);
  await log.closed();

  const closeAtTwo = (sequence: number) => sequence === 2 && susul.close();
  assert.deepEqual(await sequences(susul, 3, { onEvent: closeAtTwo }), upTo(2));
  await log.closed();
  assert.deepEqual(await sequences(susul, 1), []);
  assert.equal(log.requests.length, 4);
});

test("a watch that waits to reconnect can be stopped", async (t) => {
  const log = await EventLog.start(t, 1);
  log.ends = [{ after: 1, how: () => Promise.reject(susulError(Code.Unavailable, "STANDBY", { retryAfterMs: 60_000 })) }];
  const stop = new AbortController();
  const onReconnect = () => setImmediate(() => stop.abort());
  assert.deepEqual(await sequences(log.server.client(t), 2, { signal: stop.signal, onReconnect }), [1]);
});
