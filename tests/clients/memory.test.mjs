import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from './deadline.mjs';
import { withGateway } from './gateway.mjs';
import { memoryOf } from './kernel.mjs';
import { SeededBytes } from './seeded_bytes.mjs';
import { KIB, loadSeconds, MIB, parallelUpload, singlePatch, timeout } from './sizes.mjs';
import { smallUploads } from './small_upload_load.mjs';
import { assertDownload, complete, create } from './tus.mjs';

const UPLOADS_AT_ONCE = 16;
const AT_ONCE_LIMIT = 40 * MIB;
const SINGLE_LIMIT = 25 * MIB;
const WARM_UP_SECONDS = 1;
const BURSTS = 2;
// Above what a warm gateway has: the session store's cache, which a short warm-up does not fill.
const LOAD_LEFTOVER_LIMIT = 8 * MIB;
// What sled keeps in memory for good per stored session; a page of sessions that is not evicted is kilobytes.
const STORED_SESSION_BYTES = 64;
const CALM_WITHIN_MS = 30_000;

test(`${UPLOADS_AT_ONCE} uploads at once of ${parallelUpload / 1e6} MB stay within ${AT_ONCE_LIMIT / MIB} MiB`, { timeout }, async (t) => {
  await withGateway({}, async (gateway) => {
    const uploads = [];
    for (let index = 0; index < UPLOADS_AT_ONCE; index += 1) {
      uploads.push({ bytes: new SeededBytes(`at once ${index}`, parallelUpload), url: await create(gateway.endpoint, parallelUpload) });
    }
    await Promise.all(uploads.map(({ url, bytes }) => complete(url, bytes, 0)));
    const { peak } = memoryOf(gateway.pid);
    t.diagnostic(`peak ${inMib(peak)}`);
    for (const { url, bytes } of uploads) {
      await assertDownload(url, bytes);
    }
    t.diagnostic(`peak after downloading them all ${inMib(memoryOf(gateway.pid).peak)}`);
    assert.ok(peak <= AT_ONCE_LIMIT, `peak ${inMib(peak)}`);
  });
});

test(`one PATCH of ${singlePatch / MIB} MiB stays within ${SINGLE_LIMIT / MIB} MiB`, { timeout }, async (t) => {
  await withGateway({}, async (gateway) => {
    const bytes = new SeededBytes('single', singlePatch);
    const url = await create(gateway.endpoint, bytes.length);
    await complete(url, bytes, 0);
    const { peak } = memoryOf(gateway.pid);
    t.diagnostic(`peak ${inMib(peak)}`);
    await assertDownload(url, bytes);
    assert.ok(peak <= SINGLE_LIMIT, `peak ${inMib(peak)}`);
  });
});

test(`after ${loadSeconds} s of small uploads memory goes back, twice`, { timeout }, async (t) => {
  await withGateway({}, async (gateway) => {
    const load = { port: gateway.port, path: new URL(gateway.endpoint).pathname, connections: 16, bytes: 4 * KIB };
    const { resident: fresh } = memoryOf(gateway.pid);
    await smallUploads({ ...load, seconds: WARM_UP_SECONDS });
    const { resident: warm } = memoryOf(gateway.pid);
    t.diagnostic(`fresh ${inMib(fresh)}, warm ${inMib(warm)}`);
    let stored = 0;
    for (let burst = 1; burst <= BURSTS; burst += 1) {
      const { requests, perSecond } = await smallUploads({ ...load, seconds: loadSeconds });
      stored += requests;
      t.diagnostic(`burst ${burst}: ${requests} uploads, ${perSecond.toFixed(0)}/s`);
      await goesBack(t, gateway, warm + LOAD_LEFTOVER_LIMIT + stored * STORED_SESSION_BYTES);
    }
  });
});

async function goesBack(t, gateway, limit) {
  const { resident: underLoad, peak } = memoryOf(gateway.pid);
  const calmed = performance.now();
  let lowest = underLoad;
  await until(`memory at or below ${inMib(limit)}`, () => {
    lowest = Math.min(lowest, memoryOf(gateway.pid).resident);
    return lowest <= limit;
  }, { within: CALM_WITHIN_MS, every: 50 }).finally(() => {
    const seconds = ((performance.now() - calmed) / 1000).toFixed(1);
    t.diagnostic(`at the end ${inMib(underLoad)}, peak ${inMib(peak)}, lowest afterwards ${inMib(lowest)}, after ${seconds} s`);
  });
}

function inMib(bytes) {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}
