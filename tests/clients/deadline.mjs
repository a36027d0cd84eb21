// Waiting for something to become true, never for time to pass.

import { setTimeout as pause } from 'node:timers/promises';

/**
 * Calls `check` until it returns something truthy, and returns that.
 *
 * `what` completes the sentence "... did not happen within n ms", which is the error
 * when `within` milliseconds have gone by.
 */
export async function until(what, check, { within = 10_000, every = 5 } = {}) {
  const end = performance.now() + within;
  for (;;) {
    const outcome = await check();
    if (outcome) {
      return outcome;
    }
    if (performance.now() > end) {
      throw new Error(`${what} did not happen within ${within} ms`);
    }
    await pause(every);
  }
}

/** Waits for `promise`, but no longer than `within` milliseconds. */
export async function before(what, promise, within = 10_000) {
  const late = new AbortController();
  const alarm = pause(within, undefined, { signal: late.signal }).then(() => {
    throw new Error(`${what} did not happen within ${within} ms`);
  });
  alarm.catch(() => {});
  try {
    return await Promise.race([promise, alarm]);
  } finally {
    late.abort();
  }
}
