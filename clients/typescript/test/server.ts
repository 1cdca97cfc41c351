import { once } from "node:events";
import { constants, createSecureServer, createServer } from "node:http2";
import type { Http2SecureServer, Http2Server, Http2ServerRequest, Http2ServerResponse, SecureServerOptions, ServerHttp2Session } from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import type { TestContext } from "node:test";
import { Code, ConnectError } from "@connectrpc/connect";
import type { ConnectRouter, HandlerContext } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { connect } from "../src/index.js";
import type { ConnectOptions, Reason, Susul } from "../src/index.js";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "../src/gen/google/rpc/error_details_pb.js";

/** Where a server is to listen, and with which certificate. */
export interface ServerOptions {
  port?: number;
  tls?: SecureServerOptions;
}

/** A gRPC server in the test's own process, whose connections can be broken. */
export class TestServer {
  readonly sessions = new Set<ServerHttp2Session>();
  private readonly sockets = new Set<Socket>();
  /** How many calls to refuse before any code sees them. */
  refuse = 0;
  /** How many connections there were. */
  connected = 0;

  private constructor(
    private readonly server: Http2Server | Http2SecureServer,
    readonly address: string,
  ) {
    server.on("connection", (socket: Socket) => {
      this.sockets.add(socket);
      socket.on("close", () => this.sockets.delete(socket));
    });
    server.on("session", (session) => {
      this.connected++;
      this.sessions.add(session);
      session.on("close", () => this.sessions.delete(session));
      session.on("error", () => {}); // what breaks is meant to
    });
  }

  static async start(t: TestContext, routes: (router: ConnectRouter) => void, options: ServerOptions = {}): Promise<TestServer> {
    const adapter = connectNodeAdapter({ routes, connect: false, grpcWeb: false });
    const handle = (request: Http2ServerRequest, response: Http2ServerResponse) => {
      if (started.refuse > 0) {
        started.refuse--;
        request.stream.close(constants.NGHTTP2_REFUSED_STREAM);
      } else {
        adapter(request, response);
      }
    };
    const server = options.tls ? createSecureServer(options.tls, handle) : createServer(handle);
    server.listen(options.port ?? 0, "127.0.0.1");
    await once(server, "listening");
    const started = new TestServer(server, `127.0.0.1:${(server.address() as AddressInfo).port}`);
    t.after(() => started.stop());
    return started;
  }

  /** Ends all connections without a word, as a process does that is killed, or resets them. */
  cut(how: "end" | "reset" = "end"): void {
    for (const socket of this.sockets) {
      if (how === "end") {
        socket.destroy();
      } else {
        socket.resetAndDestroy();
      }
    }
  }

  /** Tells all connections to go away when their calls are done, as a server does with those that are idle. */
  goAway(): void {
    for (const session of this.sessions) {
      session.close();
    }
  }

  /** Ends all connections and listens no more. */
  async stop(): Promise<void> {
    this.cut();
    if (this.server.listening) {
      this.server.close();
      await once(this.server, "close");
    }
  }

  /** Connects to it for the time of a test. */
  client(t: TestContext, options: Partial<ConnectOptions> = {}): Susul {
    const susul = connect({ address: this.address, app: "demo", masterSecret: "secret", ...options } as ConnectOptions);
    t.after(() => susul.close());
    return susul;
  }
}

/** What Susul tells of an error. */
export interface ErrorParts {
  metadata?: Record<string, string>;
  retryAfterMs?: number;
  fields?: string[];
}

/** An error as Susul sends it. */
export function susulError(code: Code, reason: Reason, parts: ErrorParts = {}): ConnectError {
  const { metadata = {}, retryAfterMs, fields } = parts;
  const error = new ConnectError(`text of ${reason}`, code);
  error.details.push({ desc: ErrorInfoSchema, value: { reason, domain: "susul.dev", metadata } });
  if (fields) {
    const fieldViolations = fields.map((field) => ({ field, description: `${field} is wrong` }));
    error.details.push({ desc: BadRequestSchema, value: { fieldViolations } });
  }
  if (retryAfterMs !== undefined) {
    error.details.push({
      desc: RetryInfoSchema,
      value: { retryDelay: { seconds: BigInt(Math.floor(retryAfterMs / 1000)), nanos: (retryAfterMs % 1000) * 1e6 } },
    });
  }
  return error;
}

/** Waits until the caller has gone away. */
export async function gone(context: HandlerContext): Promise<void> {
  if (!context.signal.aborted) {
    await once(context.signal, "abort");
  }
}

/** Reads so many items and leaves the iteration. */
export async function take<Item>(items: AsyncIterable<Item>, count: number): Promise<Item[]> {
  const taken: Item[] = [];
  for await (const item of items) {
    taken.push(item);
    if (taken.length === count) {
      break;
    }
  }
  return taken;
}
