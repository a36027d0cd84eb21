// See `profiles`.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Gateway } from '../tests/clients/gateway.mjs';
import { cpuSecondsOf, memoryOf } from '../tests/clients/kernel.mjs';
import { launch, withScratch } from '../tests/clients/scratch.mjs';
import { SeededBytes } from '../tests/clients/seeded_bytes.mjs';
import { MIB } from '../tests/clients/sizes.mjs';
import { begin, create } from '../tests/clients/tus.mjs';
import { median, provenance } from './machine.mjs';

const CLIENTS = 8;
// Bytes of all clients in each direction: some seconds of each link.
const LINKS = { ethernet: 512 * MIB, wifi: 32 * MIB, lte: 12 * MIB, '3g': MIB, train: 8 * MIB };
// A client that hears nothing for so long tries again.
const PATIENCE_MS = 15_000;

const shape = process.env.SHAPE_BIN ?? fileURLToPath(new URL('../target/release/tidegate-shape', import.meta.url));
const runs = Number(process.argv[2] ?? 3);
const links = process.argv.length > 3 ? process.argv.slice(3) : Object.keys(LINKS);
assert.ok(runs % 2 === 1, 'the number of runs must be odd, for the median');
assert.ok(links.every((link) => link in LINKS), `links are ${Object.keys(LINKS).join(', ')}`);

const ARMS = {
  'fixed 32 KiB': {
    TIDEGATE__PERFORMANCE__ADAPTIVE_BUFFERS: 'false',
    TIDEGATE__PERFORMANCE__BATCH_SIZE: '32KiB',
    TIDEGATE__PERFORMANCE__READ_BUFFER: '32KiB',
  },
  fitted: { TIDEGATE__PERFORMANCE__ROLLOUT: '100' },
};

await withScratch('place', async (directory) => {
  console.log('| link | buffers | up, MB/s | down, MB/s | CPU s per GB, up | down | RSS above the idle gateway, MiB |');
  console.log('|---|---|---|---|---|---|---|');
  for (const link of links) {
    await compare(link);
  }
  console.log(`\n${CLIENTS} clients at once, ${runs} runs in turns. ${await provenance(directory)}`);
});

async function compare(link) {
  const samples = Object.fromEntries(Object.keys(ARMS).map((arm) => [arm, []]));
  for (let round = 0; round < runs; round += 1) {
    for (const arm of Object.keys(ARMS)) {
      const sample = await measure(link, ARMS[arm], round);
      samples[arm].push(sample);
      console.error(`${link}, round ${round}, ${arm}: ${JSON.stringify(sample)}`);
    }
  }
  for (const [arm, of] of Object.entries(samples)) {
    const column = (name, digits) => spread(of.map((sample) => sample[name]), digits);
    const columns = [column('up', 2), column('down', 2), column('cpuUp', 2), column('cpuDown', 2), column('memory', 1)];
    console.log(`| ${link} | ${arm} | ${columns.join(' | ')} |`);
  }
}

function spread(values, digits) {
  const told = (value) => value.toFixed(digits);
  return `${told(median(values))} (${told(Math.min(...values))}–${told(Math.max(...values))})`;
}

// A gateway of its own for each run, so that its peak is that of this run.
async function measure(link, settings, seed) {
  const gateway = await Gateway.start({ durability: 'os', settings });
  const proxy = launch(shape, ['--profile', link, '--to', new URL(gateway.endpoint).host, '--seed', `${seed}`]);
  try {
    const endpoint = `http://${await addressOf(proxy)}/files`;
    const length = Math.floor(LINKS[link] / CLIENTS);
    const bodies = Array.from({ length: CLIENTS }, (_, number) => new SeededBytes(`${link} ${number}`, length).slice(0));
    // Past the shaped link: what is measured is bodies.
    const paths = await Promise.all(bodies.map(async () => new URL(await create(gateway.endpoint, length)).pathname));
    const urls = paths.map((path) => new URL(path, endpoint).href);
    const idle = memoryOf(gateway.pid).resident;
    const up = await timed(gateway, () => Promise.all(urls.map((url, number) => upload(url, bodies[number]))));
    const down = await timed(gateway, () => Promise.all(urls.map((url, number) => download(url, bodies[number]))));
    const rate = ({ seconds }) => LINKS[link] / 1e6 / seconds;
    const cost = ({ cpu }) => cpu / (LINKS[link] / 1e9);
    const memory = (memoryOf(gateway.pid).peak - idle) / MIB;
    return { up: rate(up), down: rate(down), cpuUp: cost(up), cpuDown: cost(down), memory };
  } finally {
    proxy.kill('SIGKILL');
    await gateway.stop();
  }
}

async function addressOf(proxy) {
  const [line] = await once(proxy.stdout, 'data');
  const found = /^listening on (\S+)/.exec(`${line}`);
  assert.ok(found, `${line}`);
  return found[1];
}

async function timed(gateway, work) {
  const [cpu, began] = [cpuSecondsOf(gateway.pid), performance.now()];
  await work();
  return { seconds: (performance.now() - began) / 1000, cpu: cpuSecondsOf(gateway.pid) - cpu };
}

async function upload(url, bytes) {
  for (let offset = 0; offset < bytes.length; ) {
    try {
      const headers = {
        'Tus-Resumable': '1.0.0',
        'Upload-Offset': offset,
        'Content-Type': 'application/offset+octet-stream',
        'Content-Length': bytes.length - offset,
      };
      const answer = await answered('PATCH', url, headers, bytes.subarray(offset));
      answer.resume();
      assert.ok([204, 409, 423].includes(answer.statusCode), `PATCH: ${answer.statusCode}`);
      offset = Number(answer.headers['upload-offset'] ?? offset);
    } catch (error) {
      offset = await standing(url, error);
    }
  }
}

// Where an upload stands after its link broke.
async function standing(url, broken) {
  for (;;) {
    assert.notEqual(broken.code, 'ERR_ASSERTION', broken.message);
    await pause(100);
    try {
      const answer = await answered('HEAD', url, { 'Tus-Resumable': '1.0.0' });
      answer.resume();
      assert.equal(answer.statusCode, 200, `HEAD: ${answer.statusCode}`);
      return Number(answer.headers['upload-offset']);
    } catch (error) {
      broken = error;
    }
  }
}

async function download(url, bytes) {
  for (let got = 0; got < bytes.length; ) {
    try {
      const answer = await answered('GET', url, { Range: `bytes=${got}-` });
      assert.equal(answer.statusCode, 206, `GET: ${answer.statusCode}`);
      for await (const piece of answer) {
        assert.ok(piece.equals(bytes.subarray(got, got + piece.length)), 'other bytes');
        got += piece.length;
      }
    } catch (error) {
      assert.notEqual(error.code, 'ERR_ASSERTION', error.message);
      await pause(100);
    }
  }
}

async function answered(method, url, headers, body) {
  const request = begin(method, url, headers);
  request.setTimeout(PATIENCE_MS, () => request.destroy(new Error('nothing came')));
  const answer = once(request, 'response');
  request.on('error', () => {});
  request.end(body);
  return (await answer)[0];
}
