import assert from "node:assert/strict";

/** Fails unless all that is wanted is there: members of objects that are not named do not count, lists match item by item. */
export function assertSubset(actual: unknown, wanted: unknown, path = "$"): void {
  if (Array.isArray(wanted)) {
    assert.ok(Array.isArray(actual), `${path} is no list`);
    assert.equal(actual.length, wanted.length, `${path} has another length`);
    wanted.forEach((item, i) => assertSubset(actual[i], item, `${path}[${i}]`));
  } else if (typeof wanted === "object" && wanted !== null) {
    assert.ok(typeof actual === "object" && actual !== null, `${path} is no object`);
    for (const [name, value] of Object.entries(wanted)) {
      assertSubset((actual as Record<string, unknown>)[name], value, `${path}.${name}`);
    }
  } else {
    assert.deepEqual(actual, wanted, path);
  }
}

/** Whether all that is wanted is there. */
export function isSubset(actual: unknown, wanted: unknown): boolean {
  try {
    assertSubset(actual, wanted);
    return true;
  } catch {
    return false;
  }
}
