// A device that is full: what does not fit is refused before its body where its length is known, what
// fitted is kept, and the upload goes on once there is room.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from './deadline.mjs';
import { withGateway } from './gateway.mjs';
import { SeededBytes } from './seeded_bytes.mjs';
import { MIB, timeout } from './sizes.mjs';
import { assertDownload, complete, create, exchange, head, patch, remove } from './tus.mjs';

const DEVICE_BYTES = 48 * MIB;

for (const [reserve, reserveBytes] of [['no reserve', 0], ['a reserve', 8 * MIB]]) {
  test(`a full device with ${reserve} keeps what fitted, and the upload goes on`, { timeout }, async (t) => {
    await withGateway({ deviceBytes: DEVICE_BYTES, reserveBytes }, async (gateway) => {
      const filler = new SeededBytes('filler', 20 * MIB);
      const fillerUrl = await create(gateway.endpoint, filler.length);
      await complete(fillerUrl, filler, 0);

      const refused = await exchange('POST', gateway.endpoint, {
        headers: { 'Tus-Resumable': '1.0.0', 'Content-Length': 0, 'Upload-Length': DEVICE_BYTES },
      });
      assert.equal(refused.status, 507, 'an upload that can never fit is refused when it is created');

      // Too long beside the filler, and without it well within the device: some MiB are the session store's.
      const bytes = new SeededBytes('too long', 32 * MIB);
      const url = await create(gateway.endpoint, undefined);
      const known = await patch(url, 0, Buffer.alloc(0), bytes.length);
      assert.equal(known.status, 507, 'a body that cannot fit is refused before it is sent');
      assert.equal((await head(url)).offset, 0);

      const cut = await stream(url, bytes);
      assert.equal(cut.status, 507, `${cut.body}`);
      const { offset } = await head(url);
      t.diagnostic(`${(offset / MIB).toFixed(1)} MiB fitted`);
      assert.equal(Number(cut.headers['upload-offset']), offset);
      assert.ok(offset > 10 * MIB && offset < bytes.length);

      await remove(fillerUrl);
      const rest = await patch(url, offset, bytes.stream(offset), bytes.length - offset, { 'Upload-Length': bytes.length });
      assert.equal(rest.status, 204, `${rest.body}`);
      await assertDownload(url, bytes);
    });
  });
}

test('a gateway whose device is full up to the reserve is not ready, and still serves', { timeout }, async () => {
  await withGateway({ deviceBytes: DEVICE_BYTES, reserveBytes: 30 * MIB }, async (gateway) => {
    const bytes = new SeededBytes('filler', 10 * MIB);
    const url = await create(gateway.endpoint, bytes.length);
    await complete(url, bytes, 0);
    assert.equal((await exchange('GET', `${gateway.admin}/health/ready`)).status, 200);
    const torso = await create(gateway.endpoint, undefined);
    assert.equal((await stream(torso, new SeededBytes('more', 20 * MIB))).status, 507);
    // The free space is measured a few times a second.
    await until('the gateway is not ready', async () => {
      const health = await exchange('GET', `${gateway.admin}/health/ready`);
      return health.status === 503 && /room|space|disk|reserve/.test(`${health.body}`);
    }, { within: 5000, every: 20 });
    await assertDownload(url, bytes);
  });
});

// Sends everything in a body that does not say how long it is.
async function stream(url, bytes) {
  const headers = {
    'Tus-Resumable': '1.0.0',
    'Content-Type': 'application/offset+octet-stream',
    'Upload-Offset': 0,
    'Transfer-Encoding': 'chunked',
  };
  return exchange('PATCH', url, { headers, body: bytes.stream(0) });
}
