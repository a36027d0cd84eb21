import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from './deadline.mjs';
import { withGateway } from './gateway.mjs';
import { bytesBetween } from './kernel.mjs';
import { SeededBytes } from './seeded_bytes.mjs';
import { MIB, timeout } from './sizes.mjs';
import { assertDownload, complete, create, head } from './tus.mjs';
import { patchHead, WireConnection } from './wire.mjs';

const SAMPLES = 9;
const SILENT_FOR_MS = 150;
// Far below every timeout that could end the wait, and above what a busy machine makes of some milliseconds.
const LIMIT_MS = 5000;

test('HEAD answers at once with the exact offset while a writer is silent in mid-PATCH, and another writer completes', { timeout }, async (t) => {
  const samples = [];
  await withGateway({}, async (gateway) => {
    for (let sample = 0; sample < SAMPLES; sample += 1) {
      samples.push(await overtakeSilentWriter(gateway, new SeededBytes(`silent ${sample}`, MIB + sample)));
    }
  });
  samples.sort((a, b) => a - b);
  const median = samples[Math.floor(SAMPLES / 2)];
  t.diagnostic(`HEAD: median ${median.toFixed(1)} ms, slowest ${samples.at(-1).toFixed(1)} ms`);
  assert.ok(samples.at(-1) < LIMIT_MS, `slowest ${samples.at(-1)} ms`);
});

test('a writer that was overtaken while silent can add nothing any more', { timeout }, async () => {
  const bytes = new SeededBytes('overtaken', MIB);
  const wrong = new SeededBytes('what the old writer would add', MIB);
  await withGateway({}, async (gateway) => {
    const { url, writer, sent } = await becomeSilent(gateway, bytes);
    const { offset } = await head(url);
    assert.equal(offset, sent);
    const half = offset + Math.floor((bytes.length - offset) / 2);
    const { status } = await append(gateway.port, url, bytes, offset, half);
    assert.equal(status, 204);
    // The connection may be gone already; what matters is what is stored.
    await writer.write(wrong.slice(sent)).catch(() => {});
    assert.equal((await head(url)).offset, half);
    await complete(url, bytes, half);
    await assertDownload(url, bytes);
    writer.close();
  });
});

async function overtakeSilentWriter(gateway, bytes) {
  const { url, writer, sent } = await becomeSilent(gateway, bytes);
  const asked = performance.now();
  const { offset } = await head(url);
  const took = performance.now() - asked;
  assert.equal(offset, sent, 'every byte the writer sent counts');
  await complete(url, bytes, offset);
  await assertDownload(url, bytes);
  writer.close();
  return took;
}

// Sends half of a PATCH and returns when the server has read all of that and heard nothing since.
async function becomeSilent(gateway, bytes) {
  const url = await create(gateway.endpoint, bytes.length);
  const writer = await WireConnection.open(gateway.port);
  const sent = Math.floor(bytes.length / 2);
  await writer.write(patchHead(new URL(url).pathname, 0, bytes.length));
  await writer.write(bytes.slice(0, sent));
  await until('the server reading what was sent', () => bytesBetween(writer.localPort, gateway.port) === 0);
  const silentSince = performance.now();
  await until('silence', () => performance.now() - silentSince > SILENT_FOR_MS);
  return { url, writer, sent };
}

async function append(port, url, bytes, start, end) {
  const writer = await WireConnection.open(port);
  const answer = writer.answer();
  await writer.write(patchHead(new URL(url).pathname, start, end - start));
  await writer.write(bytes.slice(start, end));
  const outcome = await answer;
  writer.close();
  return outcome;
}
