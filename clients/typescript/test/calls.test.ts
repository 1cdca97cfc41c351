import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { Code, ConnectError } from "@connectrpc/connect";
import type { HandlerContext } from "@connectrpc/connect";
import { connect, DeviceService, PushService, ResendPolicyService, SusulError } from "../src/index.js";
import type { ConnectOptions } from "../src/index.js";
import { gone, susulError, TestServer } from "./server.js";

/** A name of a push that can be. */
const name = "apps/demo/pushes/1";

function susulErrorWith(code: Code, reason = "") {
  return (thrown: unknown) => {
    assert.ok(thrown instanceof SusulError, String(thrown));
    assert.deepEqual([Code[thrown.code], thrown.reason], [Code[code], reason], thrown.message);
    return true;
  };
}

test("each caller has its credentials", async (t) => {
  const seen: (string | null)[] = [];
  const server = await TestServer.start(t, (router) =>
    router.service(PushService, {
      getPush(_, context) {
        seen.push(context.requestHeader.get("authorization"));
        return {};
      },
    }),
  );
  await server.client(t, { app: "demo", masterSecret: "sécret" }).pushes.getPush({ name });
  const admin = connect({ address: server.address, adminToken: "a-token" });
  await admin.pushes.getPush({ name });
  admin.close();
  assert.deepEqual(seen, [`Basic ${Buffer.from("demo:sécret").toString("base64")}`, "Bearer a-token"]);
});

test("options that can't be are refused", () => {
  const options = { app: "demo", masterSecret: "secret" };
  for (const address of ["", "127.0.0.1", "http://127.0.0.1:7070", "host:port", "user@host:1", "host:1/path"]) {
    assert.throws(() => connect({ address, ...options }), TypeError, address);
  }
  assert.throws(() => connect({ address: "localhost:1" } as ConnectOptions), TypeError);
  assert.throws(() => connect({ address: "localhost:1", app: "demo", masterSecret: "" }), TypeError);
});

test("what is not loopback is called over TLS", async (t) => {
  const plain = createServer((socket) => socket.once("data", (data: Buffer) => socket.end() && plain.emit("spoken", data)));
  plain.listen(0, "127.0.0.1");
  await once(plain, "listening");
  t.after(() => plain.close());
  const { port } = plain.address() as AddressInfo;
  // In each case the same listener is called; it hears whether a TLS hello comes first, or HTTP/2's preface.
  for (const [address, tls, secure] of [
    [`127.0.0.1:${port}`, undefined, false],
    [`localhost:${port}`, undefined, false],
    [`127.0.0.1:${port}`, true, true],
    [`0.0.0.0:${port}`, undefined, true],
    [`0.0.0.0:${port}`, false, false],
  ] as const) {
    const susul = connect({ address, app: "demo", masterSecret: "secret", ...(tls === undefined ? {} : { tls }) });
    const spoken = once(plain, "spoken") as Promise<[Buffer]>;
    const call = susul.pushes.withdrawPush({ name }).catch(susulErrorWith(Code.Unavailable));
    const [data] = await spoken;
    assert.equal(data[0] === 0x16, secure, `${address}, tls ${String(tls)}: ${data.toString("latin1", 0, 8)}`);
    susul.close();
    await call.catch(() => {});
  }
});

test("errors are told as Susul tells them", async (t) => {
  const server = await TestServer.start(t, (router) =>
    router.service(PushService, {
      createPush() {
        throw susulError(Code.InvalidArgument, "INVALID_REQUEST", { fields: ["push.audience", "push.options.plan_id"] });
      },
      getPush() {
        throw susulError(Code.NotFound, "NOT_FOUND", { metadata: { resource: name } });
      },
      withdrawPush() {
        throw susulError(Code.Unavailable, "STANDBY", { metadata: { leader: "" }, retryAfterMs: 1500 });
      },
    }),
  );
  const { pushes } = server.client(t);
  const invalid = await pushes.createPush({ parent: "apps/demo", push: {} }).catch((thrown: unknown) => thrown);
  assert.ok(invalid instanceof SusulError && invalid.reason === "INVALID_REQUEST" && invalid.cause instanceof ConnectError);
  assert.equal(invalid.message, "text of INVALID_REQUEST");
  assert.deepEqual(invalid.fieldViolations, [
    { field: "push.audience", description: "push.audience is wrong" },
    { field: "push.options.plan_id", description: "push.options.plan_id is wrong" },
  ]);
  assert.equal(invalid.retryAfterMs, undefined);
  const missing = await pushes.getPush({ name }).catch((thrown: unknown) => thrown);
  assert.ok(missing instanceof SusulError && missing.code === Code.NotFound);
  assert.deepEqual(missing.metadata, { resource: name });
  const standby = await pushes.withdrawPush({ name }).catch((thrown: unknown) => thrown);
  assert.ok(standby instanceof SusulError && standby.reason === "STANDBY");
  assert.equal(standby.retryAfterMs, 1500);
});

test("calls that may be repeated are, in vain at most four times", async (t) => {
  const counts: Record<string, number> = {};
  let errors = 0;
  const failing = (call: string) => () => {
    counts[call] = (counts[call] ?? 0) + 1;
    if (errors-- > 0) {
      throw susulError(Code.Unavailable, "STORAGE_UNAVAILABLE", { retryAfterMs: 10 });
    }
    return {};
  };
  const server = await TestServer.start(t, (router) => {
    router.service(PushService, { listPushes: failing("listPushes"), withdrawPush: failing("withdrawPush") });
    router.service(DeviceService, { setDevices: failing("setDevices"), deleteDevice: failing("deleteDevice") });
    router.service(ResendPolicyService, { updateResendPolicy: failing("updateResendPolicy") });
  });
  const susul = server.client(t);
  const parent = "apps/demo";
  errors = 3;
  await susul.pushes.listPushes({ parent });
  errors = 3;
  await susul.devices.setDevices({ parent });
  errors = 9;
  const unavailable = susulErrorWith(Code.Unavailable, "STORAGE_UNAVAILABLE");
  await assert.rejects(susul.pushes.listPushes({ parent }), unavailable);
  await assert.rejects(susul.pushes.withdrawPush({ name }), unavailable);
  await assert.rejects(susul.devices.deleteDevice({ name: "apps/demo/devices/a" }), unavailable);
  await assert.rejects(susul.policies.updateResendPolicy({ resendPolicy: {} }), unavailable);
  assert.deepEqual(counts, { listPushes: 8, setDevices: 4, withdrawPush: 1, deleteDevice: 1, updateResendPolicy: 1 });
});

test("only what a retry can cure is repeated", async (t) => {
  let calls = 0;
  let error: ConnectError;
  const server = await TestServer.start(t, (router) =>
    router.service(PushService, {
      getPush() {
        calls++;
        throw error;
      },
    }),
  );
  const susul = server.client(t);
  for (const [told, code, attempts] of [
    [susulError(Code.ResourceExhausted, "OVERLOADED", { retryAfterMs: 5 }), Code.ResourceExhausted, 4],
    [susulError(Code.ResourceExhausted, "OVERLOADED"), Code.ResourceExhausted, 1],
    [susulError(Code.Internal, "INTERNAL"), Code.Internal, 1],
    [susulError(Code.Aborted, "ETAG_MISMATCH"), Code.Aborted, 1],
    [new ConnectError("cancelled by the server", Code.Canceled), Code.Canceled, 1],
  ] as const) {
    error = told;
    calls = 0;
    await assert.rejects(susul.pushes.getPush({ name }), (thrown) => thrown instanceof SusulError && thrown.code === code);
    assert.equal(calls, attempts, told.message);
  }
});

test("a push gets a request_id, the same for every attempt", async (t) => {
  const seen: string[] = [];
  const server = await TestServer.start(t, (router) =>
    router.service(PushService, {
      createPush({ push }) {
        seen.push(push?.requestId ?? "");
        if (seen.length % 2) {
          throw susulError(Code.Unavailable, "STANDBY", { retryAfterMs: 1 });
        }
        return { push: { requestId: push?.requestId ?? "" } };
      },
    }),
  );
  const { pushes } = server.client(t);
  const request = { parent: "apps/demo", push: { from: "news" } };
  const first = await pushes.createPush(request);
  await pushes.createPush(request);
  assert.deepEqual(request, { parent: "apps/demo", push: { from: "news" } });
  assert.match(seen[0] ?? "", /^[0-9a-f-]{36}$/);
  assert.equal(first.push?.requestId, seen[0]);
  assert.equal(seen[1], seen[0]);
  assert.notEqual(seen[2], seen[0]);
  await pushes.createPush({ parent: "apps/demo", push: { requestId: "mine" } });
  await pushes.createPush({ parent: "apps/demo", push: { additional: { options: { cid: "c" } } } });
  assert.deepEqual(seen.slice(4), ["mine", "mine", "", ""]);
});

test("a call ends at its deadline, which the server knows and attempts share", async (t) => {
  const left: (number | undefined)[] = [];
  const server = await TestServer.start(t, (router) =>
    router.service(PushService, {
      async getPush(_, context: HandlerContext) {
        left.push(context.timeoutMs());
        await gone(context);
        return {};
      },
      listPushes(_, context) {
        left.push(context.timeoutMs());
        throw susulError(Code.Unavailable, "STANDBY", { retryAfterMs: 60 });
      },
      validatePush(_, context) {
        left.push(context.timeoutMs());
        return {};
      },
    }),
  );
  const { pushes } = server.client(t);
  await assert.rejects(pushes.getPush({ name }, { timeoutMs: 50 }), susulErrorWith(Code.DeadlineExceeded));
  assert.ok(left[0] !== undefined && left[0] <= 50);
  await assert.rejects(pushes.listPushes({ parent: "apps/demo" }, { timeoutMs: 150 }), susulErrorWith(Code.Unavailable, "STANDBY"));
  assert.equal(left.length, 3, "a third attempt would have begun after the deadline");
  assert.ok((left[2] ?? Infinity) < 100, `the second attempt had ${left[2]} ms`);
  await pushes.validatePush({ parent: "apps/demo" });
  assert.ok((left[3] ?? 0) > 29_000 && (left[3] ?? 0) <= 30_000, `by default a call had ${left[3]} ms`);
  await pushes.validatePush({ parent: "apps/demo" }, { timeoutMs: 0 });
  assert.equal(left[4], undefined);
});

test("a call ends when its caller wants, between attempts too", async (t) => {
  let calls = 0;
  const began = new EventTarget();
  const server = await TestServer.start(t, (router) =>
    router.service(PushService, {
      async getPush(_, context) {
        calls++;
        began.dispatchEvent(new Event("call"));
        await gone(context);
        return {};
      },
      listPushes() {
        calls++;
        began.dispatchEvent(new Event("call"));
        throw susulError(Code.Unavailable, "STANDBY", { retryAfterMs: 20_000 });
      },
    }),
  );
  const { pushes } = server.client(t);
  for (const call of [
    (signal: AbortSignal) => pushes.getPush({ name }, { signal }),
    (signal: AbortSignal) => pushes.listPushes({ parent: "apps/demo" }, { signal }),
  ]) {
    const stop = new AbortController();
    const ended = assert.rejects(call(stop.signal), susulErrorWith(Code.Canceled));
    await new Promise((resolve) => began.addEventListener("call", resolve, { once: true }));
    setTimeout(() => stop.abort(), 20);
    await ended;
  }
  assert.equal(calls, 2);
});

test("close ends what is under way", async (t) => {
  const server = await TestServer.start(t, (router) =>
    router.service(PushService, {
      async getPush(_, context) {
        susul.close();
        await gone(context);
        return {};
      },
    }),
  );
  const susul = server.client(t);
  await assert.rejects(susul.pushes.getPush({ name }), susulErrorWith(Code.Canceled));
  await assert.rejects(susul.pushes.getPush({ name }), susulErrorWith(Code.Canceled));
  assert.equal(server.connected, 1);
});
