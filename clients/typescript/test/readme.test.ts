import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";

const folder = new URL("../../", import.meta.url);

for (const example of ["examples/send.ts", "examples/receive.ts"]) {
  test(`README.md has ${example} as it is`, () => {
    const readme = readFileSync(new URL("README.md", folder), "utf8");
    const [, code] = readme.split(`<!-- ${example} -->\n\`\`\`ts\n`);
    assert.equal(code?.split("```\n")[0], readFileSync(new URL(example, folder), "utf8"));
  });
}

const { env } = process;
const skip = env["SUSUL_TEST_SCENARIO"] ? false : "no server was named: make test-clients starts one";

test("examples/send.ts sends and sees the click", { skip, timeout: 60_000 }, async (t) => {
  const sending = run(t, "send", {
    SUSUL_ADDRESS: env["SUSUL_TEST_GRPC"],
    SUSUL_APP: env["SUSUL_TEST_APP"],
    SUSUL_MASTER_SECRET: env["SUSUL_TEST_MASTER_SECRET"],
  });
  const [output, errors, [status]] = await Promise.all([text(sending.stdout), text(sending.stderr), once(sending, "close")]);
  assert.equal(status, 0, errors);
  assert.match(output, /^sent \d+\n(.*\n)*DELIVERED 1507bfd3f9e0a1b2c3d\n(.*\n)*CLICKED 1507bfd3f9e0a1b2c3d\n1 of 1 clicked\n$/);
});

test("examples/receive.ts takes what is signed", { timeout: 60_000 }, async (t) => {
  const receiving = run(t, "receive", { PORT: "0" });
  const lines = createInterface(receiving.stdout)[Symbol.asyncIterator]();
  const { value: listening } = await lines.next();
  const port = /port: (\d+)/.exec(String(listening))?.[1];
  assert.ok(port, String(listening));
  const row = { message_id: "1", to: "a-device", status: { message_status: "click" }, susul: { event_id: "17", step: 0 } };
  const body = JSON.stringify({ total: 1, rows: [row] });
  const post = async (secret: string) => {
    const url = `http://127.0.0.1:${port}/`;
    return (await fetch(url, { method: "POST", headers: signatures(body, secret), body })).status;
  };
  assert.equal(await post("another-secret"), 400);
  assert.equal(await post("your-callback-secret"), 204);
  assert.equal((await lines.next()).value, "17 a-device click");
});

/** Runs an example as its readers do. */
function run(t: TestContext, example: string, settings: NodeJS.ProcessEnv): ChildProcessWithoutNullStreams {
  const path = fileURLToPath(new URL(`dist/examples/${example}.js`, folder));
  const child = spawn(process.execPath, [path], { env: { ...env, ...settings } });
  t.after(() => child.kill());
  return child;
}

function signatures(body: string, secret: string): Record<string, string> {
  const now = String(Math.floor(Date.now() / 1000));
  const hook = createHmac("sha256", secret).update(`an-id.${now}.${body}`).digest("base64");
  const signature = createHmac("sha256", secret).update(`${now}nonce` + "susul").digest("hex");
  return {
    "X-CALLBACK-ID": `timestamp=${now};nonce=nonce;username=susul;signature=${signature}`,
    "webhook-id": "an-id",
    "webhook-timestamp": now,
    "webhook-signature": `v1,${hook}`,
  };
}
