import { isIP } from "node:net";
import type { SecureContextOptions } from "node:tls";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import type { Client, Interceptor } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { CallbackService } from "./gen/susul/v1/callback_service_pb.js";
import type { WatchEventsRequestSchema, WatchEventsResponse } from "./gen/susul/v1/callback_service_pb.js";
import { DeviceService } from "./gen/susul/v1/device_service_pb.js";
import { PushService } from "./gen/susul/v1/push_service_pb.js";
import { RelayService } from "./gen/susul/v1/relay_service_pb.js";
import { ResendPolicyService } from "./gen/susul/v1/resend_policy_service_pb.js";
import { resilient } from "./transport.js";
import { watch } from "./watch.js";
import type { WatchOptions } from "./watch.js";

/**
 * Connections that carry a call are probed, so that a watch notices a peer that is gone without a word. The server takes a probe each
 * 10 s at most, and ends connections that were idle for 2 minutes: ours end before, so that no call is begun on one that is about to.
 */
const connections = { pingIntervalMs: 30_000, pingTimeoutMs: 10_000, idleConnectionTimeoutMs: 90_000 };

/** Who calls: an app, which sees itself, or an admin, who manages policies and sees every app. */
export type Credentials =
  | {
      /** The app's key. */
      app: string;
      /** The app's master secret. */
      masterSecret: string;
      adminToken?: never;
    }
  | {
      /** An admin's token. */
      adminToken: string;
      app?: never;
      masterSecret?: never;
    };

/** What is particular about the server's certificate, or the client's own, as Node's `tls` names it. */
export type TLSOptions = Pick<SecureContextOptions, "ca" | "cert" | "key" | "minVersion"> & {
  /** The name that the certificate is for, if that is not the address's. */
  servername?: string;
};

/** Where Susul is, who calls, and how. */
export type ConnectOptions = Credentials & {
  /** `host:port` of the gRPC API, for example `susul.example.com:443`. */
  address: string;
  /** Whether the connection is encrypted, or how. Default: yes, unless the address is a loopback one. */
  tls?: boolean | TLSOptions;
  /** Interceptors of connect's, for example for traces; they see each attempt of a call. */
  interceptors?: Interceptor[];
};

/**
 * Connects to Susul. The connection is made when the first call needs it, and again when that is necessary. It keeps no process from
 * ending, unless a call is under way.
 */
export function connect(options: ConnectOptions): Susul {
  return new Susul(options);
}

/**
 * A client of Susul: each service's calls, and what makes some of them easier. Requests are plain objects. Calls throw SusulError.
 * A call without `timeoutMs` has 30 s; calls that may be repeated are, where that can help. A service's own streams have no time-out,
 * and one that is left goes on until its `signal` ends it; watchEvents() sees to that by itself.
 */
export class Susul implements Disposable {
  /** Sends pushes and shows them. */
  readonly pushes: Client<typeof PushService>;

  /** Tells what became of pushes; manages subscriptions. */
  readonly callbacks: Client<typeof CallbackService>;

  /** Keeps what is known of devices. */
  readonly devices: Client<typeof DeviceService>;

  /** Shows and steers how events reach the business. */
  readonly relay: Client<typeof RelayService>;

  /** Manages resend policies; an admin's. */
  readonly policies: Client<typeof ResendPolicyService>;

  readonly #connections: Http2SessionManager;
  readonly #closed = new AbortController();

  /** As connect(). */
  constructor(options: ConnectOptions) {
    const { baseUrl, tls } = locate(options);
    this.#connections = new Http2SessionManager(baseUrl, connections, tls);
    const transport = resilient(
      createGrpcTransport({
        baseUrl,
        sessionManager: this.#connections,
        interceptors: [...(options.interceptors ?? []), authorized(options)],
      }),
      this.#closed.signal,
    );
    this.pushes = createClient(PushService, transport);
    this.callbacks = createClient(CallbackService, transport);
    this.devices = createClient(DeviceService, transport);
    this.relay = createClient(RelayService, transport);
    this.policies = createClient(ResendPolicyService, transport);
  }

  /**
   * Watches an app's events. When its stream ends, another is begun where it stood: nothing is missed, and nothing comes twice. The
   * iteration ends when it is left, or by the signal, or with a SusulError that no retry cures.
   *
   * The first answer comes at once and has no event, and so have others now and then. Whoever stores the `resumeToken` of the last
   * answer that was dealt with, and begins the next watch with it, misses nothing in between.
   */
  watchEvents(
    request: MessageInitShape<typeof WatchEventsRequestSchema>,
    options: WatchOptions = {},
  ): AsyncGenerator<WatchEventsResponse, void, undefined> {
    return watch(this.callbacks, request, options, this.#closed.signal);
  }

  /** Ends the connection, and all calls that are under way. */
  close(): void {
    this.#closed.abort();
    this.#connections.abort();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Reads where to connect to, and whether over TLS. */
function locate({ address, tls = !isLoopback(address) }: ConnectOptions): { baseUrl: string; tls: TLSOptions } {
  if (!/^(\[[0-9a-fA-F:.]+\]|[^\s:/?#@[\]]+):\d{1,5}$/.test(address)) {
    throw new TypeError(`the address must be host:port, not ${JSON.stringify(address)}`);
  }
  return { baseUrl: `${tls ? "https" : "http"}://${address}`, tls: typeof tls === "object" ? tls : {} };
}

function isLoopback(address: string): boolean {
  const host = address.replace(/:\d+$/, "").toLowerCase();
  return host === "localhost" || host === "[::1]" || (isIP(host) === 4 && host.startsWith("127."));
}

function authorized(credentials: Credentials): Interceptor {
  const authorization = authorizationOf(credentials);
  return (next) => (request) => {
    request.header.set("authorization", authorization);
    return next(request);
  };
}

function authorizationOf({ app, masterSecret, adminToken }: Credentials): string {
  if (adminToken) {
    return `Bearer ${adminToken}`;
  }
  if (!app || !masterSecret) {
    throw new TypeError("give app and masterSecret, or adminToken");
  }
  return `Basic ${Buffer.from(`${app}:${masterSecret}`).toString("base64")}`;
}
