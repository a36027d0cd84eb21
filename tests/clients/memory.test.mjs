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
const LOAD_LEFTOVER_LIMIT = 8 * MIB;
// What sled and the kernel's bookkeeping keep in memory per stored session; a leaked request is kilobytes.
const STORED_SESSION_BYTES = 256;
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

test(`${loadSeconds} s of small uploads leave nothing but their sessions in memory`, { timeout }, async (t) => {
  await withGateway({}, async (gateway) => {
    const load = { port: gateway.port, path: new URL(gateway.endpoint).pathname, connections: 16, bytes: 4 * KIB };
    const { resident: fresh } = memoryOf(gateway.pid);
    // Fills the session store's bounded cache: what grows after it is what is kept per upload.
    await smallUploads({ ...load, seconds: loadSeconds });
    const { resident: warm } = memoryOf(gateway.pid);
    const { requests, perSecond } = await smallUploads({ ...load, seconds: loadSeconds });
    const { resident: underLoad, peak } = memoryOf(gateway.pid);
    t.diagnostic(
      `${requests} uploads, ${perSecond.toFixed(0)}/s; fresh ${inMib(fresh)}, warm ${inMib(warm)}, ` +
        `at the end ${inMib(underLoad)}, peak ${inMib(peak)}`,
    );
    const limit = warm + LOAD_LEFTOVER_LIMIT + requests * STORED_SESSION_BYTES;
    const calmed = performance.now();
    let lowest = underLoad;
    await until(`memory at or below ${inMib(limit)}`, () => {
      lowest = Math.min(lowest, memoryOf(gateway.pid).resident);
      return lowest <= limit;
    }, { within: CALM_WITHIN_MS, every: 50 }).finally(() => {
      t.diagnostic(`lowest afterwards ${inMib(lowest)}, after ${((performance.now() - calmed) / 1000).toFixed(1)} s`);
    });
  });
});

function inMib(bytes) {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}
