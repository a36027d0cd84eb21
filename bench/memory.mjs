// See `memory`.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { Gateway } from '../tests/clients/gateway.mjs';
import { memoryOf } from '../tests/clients/kernel.mjs';
import { withScratch } from '../tests/clients/scratch.mjs';
import { KIB, MIB } from '../tests/clients/sizes.mjs';
import { begin, create } from '../tests/clients/tus.mjs';
import { provenance } from './machine.mjs';

const SLOW = 1000;
const FAST = 100;
const BUDGET = 256 * MIB;

const seconds = Number(process.argv[2] ?? 10);
const LENGTH = 512 * MIB;
const pieceOfSlow = Buffer.alloc(4 * KIB, 's');
const pieceOfFast = Buffer.alloc(256 * KIB, 'f');

await withScratch('place', async (directory) => {
  const rows = [];
  for (const [name, rollout] of [['fitted', 100], ['fixed', 0]]) {
    rows.push({ name, ...(await measure(rollout)) });
  }
  print(rows, await provenance(directory));
});

async function measure(rollout) {
  const settings = {
    TIDEGATE__PERFORMANCE__ROLLOUT: `${rollout}`,
    TIDEGATE__PERFORMANCE__MEMORY_BUDGET: `${BUDGET}B`,
    TIDEGATE__SERVER__MAX_CONNECTIONS_PER_ADDRESS: 'none',
  };
  const gateway = await Gateway.start({ durability: 'os', settings });
  try {
    const before = memoryOf(gateway.pid).resident;
    const state = { stopped: false, failed: 0, slow: 0, fast: 0 };
    const slow = [];
    for (let number = 0; number < SLOW; number += 1) {
      slow.push(await patch(gateway, state));
    }
    const alone = memoryOf(gateway.pid).peak;
    const fast = Array.from({ length: FAST }, () => pour(gateway, state));
    const end = performance.now() + seconds * 1000;
    while (performance.now() < end) {
      for (const request of slow) {
        state.slow += pieceOfSlow.length;
        request.write(pieceOfSlow);
      }
      await pause(200);
    }
    const { peak } = memoryOf(gateway.pid);
    state.stopped = true;
    slow.forEach((request) => request.destroy());
    await Promise.all(fast);
    assert.equal(state.failed, 0, 'no transfer failed');
    assert.ok(peak - before < BUDGET, `${peak - before} bytes more are above the budget`);
    return { before, alone, peak, slow: state.slow / seconds, fast: state.fast / seconds };
  } finally {
    await gateway.stop();
  }
}

async function patch(gateway, state) {
  const url = await create(gateway.endpoint, LENGTH);
  const request = begin('PATCH', url, {
    'Tus-Resumable': '1.0.0',
    'Upload-Offset': 0,
    'Content-Type': 'application/offset+octet-stream',
    'Content-Length': LENGTH,
  });
  request.on('error', () => {
    state.failed += state.stopped ? 0 : 1;
  });
  request.write(pieceOfSlow);
  return request;
}

// One upload, as fast as it is taken, until it is enough.
async function pour(gateway, state) {
  const request = await patch(gateway, state);
  for (let sent = pieceOfSlow.length; !state.stopped && sent + pieceOfFast.length < LENGTH; sent += pieceOfFast.length) {
    state.fast += pieceOfFast.length;
    if (!request.write(pieceOfFast)) {
      await Promise.race([once(request, 'drain'), pause(1000)]);
    }
  }
  request.destroy();
}

function print(rows, where) {
  const mib = (bytes) => (bytes / MIB).toFixed(1);
  console.log(`${SLOW} slow uploads (4 KiB five times a second) and ${FAST} fast ones for ${seconds} s, budget ${mib(BUDGET)} MiB.\n`);
  console.log('| buffers | RSS before, MiB | peak with slow ones alone | peak with all | slow, MiB/s | fast, MiB/s |');
  console.log('|---|---|---|---|---|---|');
  for (const { name, before, alone, peak, slow, fast } of rows) {
    console.log(`| ${[name, mib(before), mib(alone), mib(peak), mib(slow), mib(fast)].join(' | ')} |`);
  }
  console.log(`\n${where}`);
}
