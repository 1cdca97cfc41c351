import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { Code } from "@connectrpc/connect";
import { connect, PushService, SusulError } from "../src/index.js";
import { cert, key } from "./certificate.js";
import { gone, TestServer } from "./server.js";

const name = "apps/demo/pushes/1";

test("a connection that the server ended while it was idle is made anew, for calls that are not repeated too", async (t) => {
  const server = await TestServer.start(t, (router) => router.service(PushService, { withdrawPush: () => ({}) }));
  const { pushes } = server.client(t);
  for (let connection = 1; connection < 4; connection++) {
    await pushes.withdrawPush({ name });
    assert.equal(server.connected, connection);
    const [session] = server.sessions;
    assert.ok(session);
    server.goAway();
    await once(session, "close");
  }
});

test("a connection that broke while it was idle is made anew", async (t) => {
  const server = await TestServer.start(t, (router) => router.service(PushService, { getPush: () => ({}) }));
  const { pushes } = server.client(t);
  for (const how of ["end", "reset", "end", "reset"] as const) {
    await pushes.getPush({ name });
    server.cut(how);
  }
  await pushes.getPush({ name });
});

test("over TLS, servers have to prove who they are", async (t) => {
  let calls = 0;
  const getPush = () => {
    calls++;
    return {};
  };
  const server = await TestServer.start(t, (router) => router.service(PushService, { getPush }), { tls: { cert, key } });
  await server.client(t, { tls: { ca: cert } }).pushes.getPush({ name });
  await server.client(t, { tls: { ca: cert, servername: "susul.test" } }).pushes.getPush({ name });
  assert.equal(calls, 2);
  await assert.rejects(server.client(t, { tls: true }).pushes.getPush({ name }), unavailable);
  await assert.rejects(server.client(t, { tls: { ca: cert, servername: "another.test" } }).pushes.getPush({ name }), unavailable);
  assert.equal(calls, 2);
});

test("a call that never arrived is repeated, whatever it does", async (t) => {
  let calls = 0;
  const server = await TestServer.start(t, (router) =>
    router.service(PushService, {
      withdrawPush() {
        calls++;
        return {};
      },
    }),
  );
  const { pushes } = server.client(t);
  server.refuse = 3;
  await pushes.withdrawPush({ name });
  server.refuse = 4;
  await assert.rejects(pushes.withdrawPush({ name }), unavailable);
  assert.equal(calls, 1);
});

test("a call that the connection broke under is UNAVAILABLE, and repeated where it may be", async (t) => {
  let calls = 0;
  const server = await TestServer.start(t, (router) =>
    router.service(PushService, {
      async getPush(_, context) {
        if (++calls < 3) {
          server.cut(calls === 1 ? "end" : "reset");
          await gone(context);
        }
        return {};
      },
      async withdrawPush(_, context) {
        server.cut();
        await gone(context);
        return {};
      },
    }),
  );
  const { pushes } = server.client(t);
  await pushes.getPush({ name });
  assert.equal(calls, 3);
  await assert.rejects(pushes.withdrawPush({ name }), unavailable);
});

test("a server that is not there is UNAVAILABLE, until it is", async (t) => {
  const probe = createServer();
  probe.listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, "close");
  const susul = connect({ address: `127.0.0.1:${port}`, app: "demo", masterSecret: "secret" });
  t.after(() => susul.close());
  await assert.rejects(susul.pushes.withdrawPush({ name }), unavailable);
  const call = susul.pushes.getPush({ name });
  await TestServer.start(t, (router) => router.service(PushService, { getPush: () => ({}) }), { port });
  await call;
});

function unavailable(thrown: unknown): boolean {
  assert.ok(thrown instanceof SusulError, String(thrown));
  assert.equal(Code[thrown.code], "Unavailable", thrown.stack);
  return true;
}
