import { setTimeout as timer } from "node:timers/promises";
import type { SusulError } from "./errors.js";

const firstDelayMs = 100;

/** How long to wait after so many failures in a row (1 and more), the last of which may say so itself; with jitter, up to a bound. */
export function delayMs(failures: number, error: SusulError | undefined, mostMs: number): number {
  const doubled = Math.min(firstDelayMs * 2 ** Math.min(failures - 1, 30), mostMs);
  const jitter = doubled * (0.5 + Math.random() / 2);
  return error?.retryAfterMs === undefined ? jitter : error.retryAfterMs + jitter / 2;
}

/** Waits; a signal ends that early. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await timer(ms, undefined, { signal });
  } catch {
    // The caller looks at the signal.
  }
}
