// See `chunks`.

import { readFile } from 'node:fs/promises';
import { Gateway } from '../tests/clients/gateway.mjs';
import { memoryOf } from '../tests/clients/kernel.mjs';
import { SeededBytes } from '../tests/clients/seeded_bytes.mjs';
import { KIB, MIB } from '../tests/clients/sizes.mjs';
import { create, exchange, patch } from '../tests/clients/tus.mjs';
import { requestHead, WireConnection } from '../tests/clients/wire.mjs';
import { median, provenance } from './machine.mjs';

const CHUNK_BYTES = 16;
const CONNECTIONS = 16;
const SAMPLES = 51;
// With so many gaps the record is as long as it gets: it is written as one bit per chunk.
const LONGEST_RECORD = 70_000;
const WRITERS = 8;
const WRITER_BYTES = 64 * MIB;

const total = Number(process.argv[2] ?? 1_000_000);
const rounds = Number(process.argv[3] ?? 5);

console.log(`A session of ${total} chunks of ${CHUNK_BYTES} bytes, ${CONNECTIONS} connections.\n`);
console.log('| order | chunks sent | chunks/s | record KiB | one more chunk ms (median, slowest) | status ms (median, slowest) | status KiB | RSS MiB |');
console.log('|---|---|---|---|---|---|---|---|');
let where;
for (const order of ['every one, in order', 'every second one']) {
  const gateway = await Gateway.start({});
  try {
    console.log(`| ${(await manyChunks(gateway, order)).join(' | ')} |`);
    where ??= await provenance(gateway.dataDirectory, [process.execPath, '--version']);
  } finally {
    await gateway.stop();
  }
}

const one = [];
const separate = [];
const gateway = await Gateway.start({});
try {
  const bytes = new SeededBytes('chunks', WRITER_BYTES).slice();
  for (let round = 0; round < rounds; round += 1) {
    separate.push(await eightUploads(gateway, bytes));
    one.push(await eightChunks(gateway, bytes, round));
  }
} finally {
  await gateway.stop();
}
const rate = (seconds) => ((WRITERS * WRITER_BYTES) / MIB / seconds).toFixed(0);
console.log(`\n${WRITERS} writers of ${WRITER_BYTES / MIB} MiB each, interleaved, medians of ${rounds}.\n`);
console.log('| | s | MiB/s |\n|---|---|---|');
console.log(`| ${WRITERS} uploads, a PATCH each | ${median(separate).toFixed(2)} | ${rate(median(separate))} |`);
console.log(`| one upload, ${WRITERS} chunks at once | ${median(one).toFixed(2)} | ${rate(median(one))} |`);
console.log(`\nOne session has ${(median(separate) / median(one)).toFixed(2)} × the throughput of separate uploads.\n\n${where}`);

async function manyChunks(gateway, order) {
  const id = 'many';
  const step = order === 'every second one' ? 2 : 1;
  // The last ones are left for the samples.
  const count = step === 1 ? total : Math.min(Math.floor(total / step), LONGEST_RECORD);
  const numbers = Array.from({ length: count - SAMPLES }, (_, at) => at * step);
  const began = performance.now();
  const queue = numbers.values();
  await Promise.all(Array.from({ length: CONNECTIONS }, () => keepSending(gateway.port, id, queue)));
  const perSecond = (numbers.length / (performance.now() - began)) * 1000;
  const more = Array.from({ length: SAMPLES }, (_, at) => (numbers.length + at) * step);
  const chunkTimes = await timed(gateway.port, more.map((number) => chunkRequest(id, number)));
  const statusRequest = requestHead('GET', `/upload-status?session_id=${id}`);
  let statusBytes;
  const statusTimes = await timed(gateway.port, Array(SAMPLES).fill(statusRequest), (body) => (statusBytes = body.length));
  const status = JSON.parse((await exchange('GET', new URL(`/upload-status?session_id=${id}`, gateway.endpoint))).body);
  const { resident } = memoryOf(gateway.pid);
  const record = await recordBytes(gateway, status.upload_url.split('/').at(-1));
  const slowest = (times) => Math.max(...times).toFixed(2);
  return [
    order,
    numbers.length,
    perSecond.toFixed(0),
    (record / KIB).toFixed(1),
    `${median(chunkTimes).toFixed(2)}, ${slowest(chunkTimes)}`,
    `${median(statusTimes).toFixed(2)}, ${slowest(statusTimes)}`,
    (statusBytes / KIB).toFixed(1),
    (resident / MIB).toFixed(0),
  ];
}

// The label beside the blob is the record once more; it trails by a moment.
async function recordBytes(gateway, id) {
  await new Promise((resolve) => setTimeout(resolve, 2000));
  const label = await readFile(gateway.path('blobs', 'labels', id[0], id), 'latin1');
  return label.trimEnd().split('\n').at(-1).length;
}

async function keepSending(port, id, queue) {
  const connection = await WireConnection.open(port);
  for (const number of queue) {
    await accepted(connection, chunkRequest(id, number));
  }
  connection.close();
}

async function timed(port, requests, look = () => {}) {
  const connection = await WireConnection.open(port);
  const times = [];
  for (const request of requests) {
    const began = performance.now();
    look((await accepted(connection, request)).body);
    times.push(performance.now() - began);
  }
  connection.close();
  return times;
}

async function accepted(connection, request) {
  const answer = connection.answer();
  await connection.write(request);
  const told = await answer;
  if (told.status !== 200) {
    throw new Error(`${told.status}: ${told.body}`);
  }
  return told;
}

function chunkRequest(id, number) {
  const head = requestHead('PUT', '/chunked-upload', {
    'X-Upload-Session-ID': id,
    'X-Chunk-Number': number,
    'X-Chunk-Size': CHUNK_BYTES,
    'X-Total-Size': total * CHUNK_BYTES,
    'Content-Length': CHUNK_BYTES,
  });
  return head + String(number).padStart(CHUNK_BYTES, ' ');
}

async function eightUploads(gateway, bytes) {
  const urls = [];
  for (let writer = 0; writer < WRITERS; writer += 1) {
    urls.push(await create(gateway.endpoint, bytes.length));
  }
  const began = performance.now();
  const answers = await Promise.all(urls.map((url) => patch(url, 0, bytes)));
  const seconds = (performance.now() - began) / 1000;
  await Promise.all(urls.map((url) => exchange('DELETE', url, { headers: { 'Tus-Resumable': '1.0.0' } })));
  return checked(answers, 204, seconds);
}

async function eightChunks(gateway, bytes, round) {
  const url = new URL(`/chunked-upload/eight-${round}`, gateway.endpoint).href;
  const began = performance.now();
  const answers = await Promise.all(
    Array.from({ length: WRITERS }, (_, chunk) =>
      exchange('PUT', url, {
        headers: {
          'X-Chunk-Number': chunk,
          'X-Chunk-Size': bytes.length,
          'X-Total-Size': WRITERS * bytes.length,
          'Content-Length': bytes.length,
        },
        body: bytes,
      }),
    ),
  );
  const seconds = (performance.now() - began) / 1000;
  await exchange('DELETE', url);
  return checked(answers, 200, seconds);
}

function checked(answers, status, seconds) {
  for (const answer of answers) {
    if (answer.status !== status) {
      throw new Error(`${answer.status}: ${answer.body}`);
    }
  }
  return seconds;
}
