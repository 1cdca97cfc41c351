import assert from "node:assert/strict";
import { test } from "node:test";
import { CallbackService, pages, PushService, SusulError } from "../src/index.js";
import type { ListPushesRequest, Push } from "../src/index.js";
import { take, TestServer } from "./server.js";

test("all items are gone through, and no page is asked for before it is needed", async (t) => {
  const asked: ListPushesRequest[] = [];
  const server = await TestServer.start(t, (router) =>
    router.service(PushService, {
      listPushes(request) {
        asked.push(request);
        const page = Number(request.pageToken || "0");
        const sizes = [2, 0, 1]; // a page may be empty though others follow
        return {
          pushes: Array.from({ length: sizes[page] ?? 0 }, (_, i) => ({ msgId: `${page}-${i}` })),
          nextPageToken: page < 2 ? String(page + 1) : "",
        };
      },
    }),
  );
  const { pushes } = server.client(t);
  const request = { parent: "apps/demo", pageSize: 2 };
  const found: Push[] = [];
  for await (const push of pages(pushes.listPushes, request)) {
    found.push(push);
  }
  assert.deepEqual(found.map((push) => push.msgId), ["0-0", "0-1", "2-0"]);
  assert.deepEqual(asked.map(({ parent, pageSize, pageToken }) => [parent, pageSize, pageToken]), [
    ["apps/demo", 2, ""],
    ["apps/demo", 2, "1"],
    ["apps/demo", 2, "2"],
  ]);
  asked.length = 0;
  assert.equal((await take(pages(pushes.listPushes, request), 2)).length, 2);
  assert.equal(asked.length, 1);
});

test("a list without pages is gone through too", async (t) => {
  const server = await TestServer.start(t, (router) =>
    router.service(CallbackService, { listRefusedCallbacks: () => ({ refusedCallbacks: [{}, {}] }) }),
  );
  const refused = pages(server.client(t).callbacks.listRefusedCallbacks, { parent: "apps/demo" });
  assert.equal((await take(refused, 3)).length, 2);
});

test("an error of a page ends it", async (t) => {
  const server = await TestServer.start(t, (router) => router.service(PushService, {}));
  await assert.rejects(take(pages(server.client(t).pushes.listPushes, { parent: "apps/demo" }), 1), SusulError);
});
