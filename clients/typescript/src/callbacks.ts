import { createHmac, timingSafeEqual } from "node:crypto";

const toleranceMs = 5 * 60_000;
const base64Prefix = "whsec_";

/** The headers of a request, as Node's `http` or as `fetch` has them. */
export type CallbackHeaders = Headers | Readonly<Record<string, string | readonly string[] | undefined>>;

/** What a callback is verified by. */
export interface VerifyOptions {
  /** The user name that callbacks are signed with: a subscription's `username`, or the app's in the server's configuration. */
  username: string;
  /** The secrets that are good: one, or two while it is being changed. */
  secrets: readonly string[];
  /** The present time, in milliseconds since the epoch. Default: this machine's. */
  now?: number;
}

/** One event, in the words of EngageLab's callbacks. Members that are new are there too. */
export interface CallbackRow {
  /** Susul's msg_id of the push. */
  message_id: string;
  /** The device: its registration_id. */
  to: string;
  from?: string;
  server?: string;
  channel?: string;
  /** As the push had it: an object or a string. */
  custom_args?: unknown;
  /** When it happened, in seconds since the epoch. */
  itime?: number;
  status: {
    /** `sent`, `delivered`, `impression`, `click`, or the name of a failure; others may come. */
    message_status: string;
    status_data?: Record<string, unknown>;
    error_code?: number;
    error_detail?: { message?: string };
    loss?: { loss_source?: string };
  };
  susul: {
    /** Unique and growing in time: a row that comes again has the same. */
    event_id: string;
    /** The step; 0 is the first sending. */
    step: number;
    variant?: string;
    upstream_id?: string;
    /** The event is made up, by TestRelayEndpoint. */
    test?: boolean;
  };
}

/** Why a callback is refused. */
export type CallbackFault = "MISSING_HEADER" | "MALFORMED_HEADER" | "STALE" | "WRONG_SIGNATURE" | "MALFORMED_BODY";

/** A callback that is not Susul's, or not what it posted now. Answer 4xx and take nothing of it. */
export class CallbackError extends Error {
  override readonly name = "CallbackError";

  constructor(
    /** Why it is refused. */
    readonly reason: CallbackFault,
    message: string,
  ) {
    super(message);
  }
}

/**
 * Verifies a callback that Susul posted, and returns its rows. It takes the body as it came: parsing and writing it again would break
 * its signature. Both signatures have to be right, and made within 5 minutes of now. Events come at least once: whoever must not deal
 * with one twice remembers `susul.event_id`.
 *
 * @throws CallbackError if the callback must not be believed.
 */
export function verifyCallback(headers: CallbackHeaders, rawBody: Uint8Array | string, options: VerifyOptions): CallbackRow[] {
  if (options.secrets.length === 0 || options.secrets.includes("") || options.username === "") {
    throw new TypeError("give the user name and the secrets that callbacks are signed with");
  }
  if (typeof rawBody !== "string" && !(rawBody instanceof Uint8Array)) {
    throw new TypeError("give the body as it came, not what was parsed of it");
  }
  const body = typeof rawBody === "string" ? Buffer.from(rawBody) : rawBody;
  const callbackId = parseCallbackId(header(headers, "X-CALLBACK-ID"));
  const id = header(headers, "webhook-id");
  const timestamp = header(headers, "webhook-timestamp");
  const signatures = header(headers, "webhook-signature").split(" ");

  const now = options.now ?? Date.now();
  requireRecent("X-CALLBACK-ID", callbackId.timestamp, now);
  requireRecent("webhook-timestamp", timestamp, now);

  const given = signatures.filter((signature) => signature.startsWith("v1,")).map((signature) => signature.slice("v1,".length));
  const wanted = options.secrets.map((secret) => {
    const mac = createHmac("sha256", keyOf(secret)).update(`${id}.${timestamp}.`).update(body);
    return mac.digest("base64");
  });
  if (!anyEqual(given, wanted)) {
    throw new CallbackError("WRONG_SIGNATURE", "webhook-signature is not by a secret that is known");
  }
  requireCallbackId(callbackId, options, given.length > 1);
  return parseRows(body);
}

/** The parts of X-CALLBACK-ID. */
interface CallbackId {
  timestamp: string;
  nonce: string;
  username: string;
  signature: string;
}

function header(headers: CallbackHeaders, name: string): string {
  const lower = name.toLowerCase();
  const values =
    headers instanceof Headers
      ? [headers.get(name)]
      : Object.entries(headers)
          .filter(([other]) => other.toLowerCase() === lower)
          .flatMap(([, value]) => value);
  const [value, ...more] = values;
  if (more.length > 0) {
    throw new CallbackError("MALFORMED_HEADER", `${name} is there more than once`);
  }
  if (!value) {
    throw new CallbackError("MISSING_HEADER", `${name} is missing`);
  }
  return value;
}

function parseCallbackId(text: string): CallbackId {
  const parts = new Map<string, string>();
  for (const part of text.split(";")) {
    const at = part.indexOf("=");
    const key = part.slice(0, at).trim();
    if (parts.has(key)) {
      throw new CallbackError("MALFORMED_HEADER", `X-CALLBACK-ID has ${key} twice`);
    }
    parts.set(key, part.slice(at + 1).trim());
  }
  const read = (key: keyof CallbackId): string => {
    const value = parts.get(key);
    if (!value) {
      throw new CallbackError("MALFORMED_HEADER", `X-CALLBACK-ID has no ${key}`);
    }
    return value;
  };
  return { timestamp: read("timestamp"), nonce: read("nonce"), username: read("username"), signature: read("signature") };
}

function requireRecent(name: string, timestamp: string, now: number): void {
  if (!/^\d{1,15}$/.test(timestamp)) {
    throw new CallbackError("MALFORMED_HEADER", `${name} has no time in seconds`);
  }
  // Signatures are made in whole seconds.
  if (Math.abs(Math.floor(now / 1000) - Number(timestamp)) * 1000 > toleranceMs) {
    throw new CallbackError("STALE", `${name} is more than 5 minutes from now`);
  }
}

/**
 * X-CALLBACK-ID has room for one signature. While the secret is being changed that may be by the one that the receiver does not know;
 * webhook-signature, which covers the body too, then has that of both, and is enough.
 */
function requireCallbackId(callbackId: CallbackId, options: VerifyOptions, changing: boolean): void {
  const { timestamp, nonce, username, signature } = callbackId;
  const wanted = options.secrets.map((secret) =>
    createHmac("sha256", secret).update(timestamp + nonce + username).digest("hex"),
  );
  const known = anyEqual([signature.toLowerCase()], wanted);
  if (!anyEqual([username], [options.username]) || !(known || changing)) {
    throw new CallbackError("WRONG_SIGNATURE", "X-CALLBACK-ID is not by this user name and a secret that is known");
  }
}

function keyOf(secret: string): Buffer {
  return secret.startsWith(base64Prefix) ? Buffer.from(secret.slice(base64Prefix.length), "base64") : Buffer.from(secret);
}

/** Compares all with all; how long that takes tells nothing but lengths. */
function anyEqual(given: readonly string[], wanted: readonly string[]): boolean {
  let found = false;
  for (const one of given.map((text) => Buffer.from(text))) {
    for (const other of wanted.map((text) => Buffer.from(text))) {
      found = (one.length === other.length && timingSafeEqual(one, other)) || found;
    }
  }
  return found;
}

function parseRows(body: Uint8Array): CallbackRow[] {
  let document: unknown;
  try {
    document = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    throw new CallbackError("MALFORMED_BODY", "the body is no JSON");
  }
  const inner = isObject(document) && "data" in document ? document["data"] : document;
  const rows = isObject(inner) ? inner["rows"] : undefined;
  if (!Array.isArray(rows) || !rows.every(isRow)) {
    throw new CallbackError("MALFORMED_BODY", "the body has no rows of events");
  }
  return rows;
}

/** What every row has, whatever else is new. */
function isRow(row: unknown): row is CallbackRow {
  return (
    isObject(row) &&
    typeof row["message_id"] === "string" &&
    typeof row["to"] === "string" &&
    isObject(row["status"]) &&
    typeof row["status"]["message_status"] === "string" &&
    isObject(row["susul"]) &&
    typeof row["susul"]["event_id"] === "string"
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
