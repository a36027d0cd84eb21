import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { connect } from 'node:net';
import { test } from 'node:test';
import { before, until } from './deadline.mjs';
import { withGateway } from './gateway.mjs';
import { cpuSecondsOf, memoryOf } from './kernel.mjs';
import { SeededBytes } from './seeded_bytes.mjs';
import { idleConnections, KIB, MIB, timeout } from './sizes.mjs';
import { assertDownload, complete, create } from './tus.mjs';
import { requestHead } from './wire.mjs';

const UPLOAD_BYTES = 64 * MIB;
const ROUNDS = 3;
// The two buffers of a connection are 8 KiB each; the rest is its timers, its state, and what glibc rounds up.
const CONNECTION_BYTES = 32 * KIB;
const IDLE_SECONDS = idleConnections > 1000 ? 40 : 10;
// No address may have more than 1,000.
const PER_ADDRESS = 500;
// Descriptors of an upload that has just ended, at most.
const OF_UPLOADS = 8;
// Noise of the machine; what is measured is printed.
const LEAST_RATIO = 0.3;

test(`${idleConnections} idle connections cost little, slow nobody down and go by themselves`, { timeout }, async (t) => {
  const settings = {
    TIDEGATE__TIMEOUTS__IDLETIMEOUT: `${IDLE_SECONDS}s`,
    TIDEGATE__SERVER__MAX_CONNECTIONS: `${idleConnections + 100}`,
  };
  await withGateway({ settings }, async (gateway) => {
    await uploadSpeed(gateway);
    const alone = await uploadSpeed(gateway);
    const fresh = { memory: memoryOf(gateway.pid).resident, descriptors: descriptorsOf(gateway.pid) };
    const opened = performance.now();
    const sockets = await openAll(gateway.port);
    await until('every connection is taken', () => descriptorsOf(gateway.pid) >= fresh.descriptors + idleConnections - OF_UPLOADS, { within: 60_000, every: 50 });
    const held = { memory: memoryOf(gateway.pid).resident, descriptors: descriptorsOf(gateway.pid) };
    t.diagnostic(`opened in ${((performance.now() - opened) / 1000).toFixed(1)} s`);

    const cpu = cpuSecondsOf(gateway.pid);
    const watched = performance.now();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const share = (cpuSecondsOf(gateway.pid) - cpu) / ((performance.now() - watched) / 1000);
    const beside = await uploadSpeed(gateway);
    assert.ok(sockets.every(({ ended }) => !ended), 'no connection was given up for the upload');

    const idleFor = { within: (IDLE_SECONDS + 30) * 1000, every: 100 };
    await until('idle connections are closed', () => sockets.every(({ ended }) => ended), idleFor);
    sockets.forEach(({ socket }) => socket.destroy());
    await until('their descriptors are free', () => descriptorsOf(gateway.pid) <= fresh.descriptors + OF_UPLOADS, idleFor);
    const after = { memory: memoryOf(gateway.pid).resident, descriptors: descriptorsOf(gateway.pid) };
    const again = await uploadSpeed(gateway);

    const each = (held.memory - fresh.memory) / idleConnections;
    t.diagnostic(`before: ${told(fresh)}; held: ${told(held)} (${(each / KIB).toFixed(1)} KiB each, ${(share * 100).toFixed(1)} % CPU); after: ${told(after)}`);
    t.diagnostic(`upload of ${UPLOAD_BYTES / MIB} MiB: alone ${inMib(alone)}/s, beside them ${inMib(beside)}/s (${(beside / alone).toFixed(2)}), afterwards ${inMib(again)}/s`);
    assert.ok(each <= CONNECTION_BYTES, `${each} bytes a connection`);
    assert.ok(share < 0.2, `${share} of a processor while nothing happens`);
    assert.ok(beside >= alone * LEAST_RATIO, `${beside / alone} of the speed`);
  });
});

// Bytes a second of the best of some uploads; each is checked.
async function uploadSpeed(gateway) {
  let best = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const bytes = new SeededBytes(`idle ${round}`, UPLOAD_BYTES);
    const url = await create(gateway.endpoint, bytes.length);
    const began = performance.now();
    await complete(url, bytes, 0);
    best = Math.max(best, bytes.length / ((performance.now() - began) / 1000));
    if (round === 0) {
      await assertDownload(url, bytes);
    }
  }
  return best;
}

// Every second one has had a request, the others have never said anything.
async function openAll(port) {
  const sockets = [];
  while (sockets.length < idleConnections) {
    const first = sockets.length;
    const some = Array.from({ length: Math.min(200, idleConnections - first) }, (_, index) => openOne(port, first + index));
    sockets.push(...(await Promise.all(some)));
  }
  return sockets;
}

async function openOne(port, number) {
  const localAddress = `127.0.1.${1 + Math.floor(number / PER_ADDRESS)}`;
  const socket = connect({ port, host: '127.0.0.1', localAddress });
  const one = { socket, ended: false };
  socket.on('error', () => (one.ended = true));
  socket.on('end', () => (one.ended = true));
  socket.on('close', () => (one.ended = true));
  await before('a connection', once(socket, 'connect'), 30_000);
  if (number % 2 === 0) {
    socket.write(requestHead('OPTIONS', '/files'));
    await before('an answer', once(socket, 'data'), 30_000);
  }
  socket.resume();
  return one;
}

function descriptorsOf(pid) {
  return readdirSync(`/proc/${pid}/fd`).length;
}

function told({ memory, descriptors }) {
  return `${inMib(memory)}, ${descriptors} descriptors`;
}

function inMib(bytes) {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}
