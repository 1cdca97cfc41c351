import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { CallbackError, verifyCallback } from "../src/index.js";
import { assertSubset } from "./subset.js";

interface Vector {
  name: string;
  now: number;
  username: string;
  secrets: string[];
  headers: Record<string, string>;
  body: string;
  rows?: object[];
  error?: string;
}

const file = new URL("../../../callback_vectors.json", import.meta.url);
const { vectors } = JSON.parse(readFileSync(file, "utf8")) as { vectors: Vector[] };

function verify(vector: Vector, headers: Headers | Record<string, string> = vector.headers, body: string | Uint8Array = vector.body) {
  return verifyCallback(headers, body, { username: vector.username, secrets: vector.secrets, now: vector.now * 1000 });
}

for (const vector of vectors) {
  test(`callback: ${vector.name}`, () => {
    for (const headers of [vector.headers, new Headers(vector.headers)]) {
      for (const body of [vector.body, Buffer.from(vector.body)]) {
        if (vector.error) {
          assert.throws(
            () => verify(vector, headers, body),
            (error: unknown) => error instanceof CallbackError && error.reason === vector.error,
          );
        } else {
          assertSubset(verify(vector, headers, body), vector.rows);
        }
      }
    }
  });
}

const [valid] = vectors;
assert.ok(valid);

test("a body that was parsed, and secrets that are none, are the caller's faults", () => {
  assert.throws(() => verifyCallback(valid.headers, JSON.parse(valid.body) as string, valid), TypeError);
  assert.throws(() => verifyCallback(valid.headers, valid.body, { username: "susul", secrets: [] }), TypeError);
  assert.throws(() => verifyCallback(valid.headers, valid.body, { username: "susul", secrets: [""] }), TypeError);
});

test("by default the time is now", () => {
  assert.throws(
    () => verifyCallback(valid.headers, valid.body, { username: valid.username, secrets: valid.secrets }),
    (error: unknown) => error instanceof CallbackError && error.reason === "STALE",
  );
});

test("a header that came twice is not chosen from", () => {
  const headers = { ...valid.headers, "webhook-id": [valid.headers["webhook-id"] ?? "", "another"] };
  assert.throws(
    () => verifyCallback(headers, valid.body, { ...valid, now: valid.now * 1000 }),
    (error: unknown) => error instanceof CallbackError && error.reason === "MALFORMED_HEADER",
  );
});
