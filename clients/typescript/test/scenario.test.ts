import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { EventEmitter, on, once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { fromJson, toJson } from "@bufbuild/protobuf";
import type { DescMessage, DescMethod, DescService, JsonValue, Message } from "@bufbuild/protobuf";
import { WatchEventsRequestSchema, WatchEventsResponseSchema } from "../src/index.js";
import { CallbackService, Code, connect, pages, PushService, ResendPolicyService, SusulError, verifyCallback } from "../src/index.js";
import type { CallbackRow, Susul, WatchEventsResponse } from "../src/index.js";
import { assertSubset, isSubset } from "./subset.js";

const patience = 30_000;

/** A step of scenario.json; clients/README.md tells what each member means. */
interface Step {
  name: string;
  as?: "app" | "admin" | "stranger";
  call?: string;
  list?: string;
  watch?: JsonValue;
  request?: JsonValue;
  response?: unknown;
  save?: Record<string, string>;
  error?: { code: string; reason: string; metadata?: Record<string, string>; fields?: string[] };
  items?: unknown[];
  events?: unknown[];
  rows?: unknown[];
}

type Call = (request: Message, options?: object) => Promise<Message>;

const env = process.env;
const skip = env["SUSUL_TEST_SCENARIO"] ? false : "no server was named: make test-clients starts one";

test("the clients' scenario", { skip, timeout: 5 * 60_000 }, async (t) => {
  const { steps } = JSON.parse(readFileSync(setting("SCENARIO"), "utf8")) as { steps: Step[] };
  assert.ok(steps.length > 0);
  const run = new Run(t, await Receiver.start(t));
  for (const step of steps) {
    await t.test(step.name, { timeout: patience }, () => run.carryOut(step));
  }
});

function setting(name: string): string {
  const value = env[`SUSUL_TEST_${name}`];
  assert.ok(value, `SUSUL_TEST_${name} is not set`);
  return value;
}

/** The business's own web server, which gets relayed callbacks. */
class Receiver extends EventEmitter {
  readonly rows: CallbackRow[] = [];
  readonly faults: unknown[] = [];
  url = "";

  static async start(t: TestContext): Promise<Receiver> {
    const receiver = new Receiver();
    const verifying = { username: setting("CALLBACK_USERNAME"), secrets: [setting("CALLBACK_SECRET")] };
    const server = createServer((request, response) => {
      void buffer(request).then((body) => {
        try {
          receiver.rows.push(...verifyCallback(request.headers, body, verifying));
          response.writeHead(204).end();
        } catch (fault) {
          receiver.faults.push(fault);
          response.writeHead(400).end();
        }
        receiver.emit("request");
      });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    t.after(() => {
      server.close();
      server.closeAllConnections();
    });
    receiver.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/susul/events`;
    return receiver;
  }

  /** Waits until each of the rows came. */
  async await(wanted: unknown[], signal: AbortSignal): Promise<void> {
    const missing = () => wanted.filter((row) => !this.rows.some((got) => isSubset(got, row)));
    const requests = on(this, "request", { signal });
    while (missing().length > 0) {
      await requests.next().catch((ended: unknown) => {
        assert.fail(`${String(ended)}: lacks ${JSON.stringify(missing())} among ${JSON.stringify(this.rows)}`);
      });
      assert.deepEqual(this.faults, []);
    }
  }
}

/** One run of the scenario. */
class Run {
  private readonly saved: Record<string, string>;
  private readonly clients: Record<"app" | "admin" | "stranger", Susul>;
  private events: AsyncGenerator<WatchEventsResponse> | undefined;

  constructor(
    t: TestContext,
    private readonly receiver: Receiver,
  ) {
    const address = setting("GRPC");
    const app = setting("APP");
    this.saved = { app, run: `ts-${randomBytes(6).toString("hex")}`, callback_url: receiver.url };
    this.clients = {
      app: connect({ address, app, masterSecret: setting("MASTER_SECRET") }),
      admin: connect({ address, adminToken: setting("ADMIN_TOKEN") }),
      stranger: connect({ address, app, masterSecret: "somebody-elses-secret" }),
    };
    t.after(() => Object.values(this.clients).forEach((client) => client.close()));
  }

  async carryOut(step: Step): Promise<void> {
    const { call, list, watch, events, rows } = this.filledIn(step) as Step;
    const { request = {}, response, error, items } = this.filledIn(step) as Step;
    const client = this.clients[step.as ?? "app"];
    if (call && error) {
      await this.fails(client, call, request, error);
    } else if (call) {
      const answer = await this.call(client, call, request);
      assertSubset(answer, response ?? {});
      this.keep(answer, step.save ?? {});
    } else if (list) {
      await this.list(client, list, request, items ?? []);
    } else if (watch) {
      this.events = client.watchEvents(fromJson(WatchEventsRequestSchema, watch));
      const first = await this.events.next();
      assert.ok(!first.done && first.value.resumeToken, "the first answer has a resume token");
    } else if (events) {
      await this.watched(events);
    } else if (rows) {
      await this.receiver.await(rows, AbortSignal.timeout(patience - 1000));
    } else {
      assert.fail("the step says nothing to do");
    }
  }

  /** Replaces ${…} in all strings of a value. */
  private filledIn(value: unknown): unknown {
    if (typeof value === "string") {
      return value.replace(/\$\{(\w+)\}/g, (_, name: string) => {
        const known = this.saved[name];
        assert.ok(known !== undefined, `nothing was saved as ${name}`);
        return known;
      });
    }
    if (Array.isArray(value)) {
      return value.map((item) => this.filledIn(item));
    }
    if (typeof value === "object" && value !== null) {
      return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, this.filledIn(member)]));
    }
    return value;
  }

  private keep(answer: JsonValue, paths: Record<string, string>): void {
    for (const [name, path] of Object.entries(paths)) {
      let found: unknown = answer;
      for (const member of path.split(".")) {
        found = (found as Record<string, unknown> | undefined)?.[member];
      }
      assert.ok(typeof found === "string" && found !== "", `${path} is missing`);
      this.saved[name] = found;
    }
  }

  private async call(client: Susul, name: string, request: JsonValue): Promise<JsonValue> {
    const { call, method } = find(client, name);
    return toJson(method.output as DescMessage, await call(fromJson(method.input as DescMessage, request)));
  }

  private async fails(client: Susul, name: string, request: JsonValue, wanted: NonNullable<Step["error"]>): Promise<void> {
    const error = await this.call(client, name, request).then(
      (answer) => assert.fail(`it succeeded: ${JSON.stringify(answer)}`),
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof SusulError, String(error));
    const code = wanted.code.replace("CANCELLED", "CANCELED").replaceAll("_", "");
    assert.equal(Code[error.code]?.toUpperCase(), code, error.message);
    assert.equal(error.reason, wanted.reason);
    assertSubset(error.metadata, wanted.metadata ?? {});
    if (wanted.fields) {
      assert.deepEqual(error.fieldViolations.map(({ field }) => field).sort(), [...wanted.fields].sort());
    }
  }

  private async list(client: Susul, name: string, request: JsonValue, wanted: unknown[]): Promise<void> {
    const { call, method } = find(client, name);
    const missing = new Set(wanted);
    const itemSchema = (method.output as DescMessage).fields.find((field) => field.fieldKind === "list")?.message;
    assert.ok(itemSchema);
    for await (const item of pages(call, fromJson(method.input as DescMessage, request))) {
      const json = toJson(itemSchema, item as Message);
      for (const one of missing) {
        if (isSubset(json, one)) {
          missing.delete(one);
        }
      }
    }
    assert.deepEqual([...missing], []);
  }

  private async watched(wanted: unknown[]): Promise<void> {
    assert.ok(this.events, "no watch is open");
    const missing = [...wanted];
    for await (const { event } of this.events) {
      const json = toJson(WatchEventsResponseSchema, { $typeName: WatchEventsResponseSchema.typeName, event, resumeToken: "" });
      if (event && isSubset((json as { event: unknown }).event, missing[0])) {
        missing.shift();
      }
      if (missing.length === 0) {
        return;
      }
    }
    assert.fail(`the watch ended before ${JSON.stringify(missing)}`);
  }
}

/** Finds the client's call that `Service/Method` names. */
function find(client: Susul, name: string): { call: Call; method: DescMethod } {
  const [serviceName, methodName] = name.split("/");
  const services: [DescService, object][] = [
    [PushService, client.pushes],
    [CallbackService, client.callbacks],
    [ResendPolicyService, client.policies],
  ];
  const [service, calls] = services.find(([{ name }]) => name === serviceName) ?? assert.fail(`there is no ${name}`);
  const method = service.methods.find(({ name }) => name === methodName);
  assert.ok(method, `there is no ${name}`);
  return { call: (calls as Record<string, Call>)[method.localName] as Call, method };
}
