import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Upload } from 'tus-js-client';
import { until } from './deadline.mjs';
import { withGateway } from './gateway.mjs';
import { ResilientUploader } from './resilient_uploader.mjs';
import { run } from './scratch.mjs';
import { Dice, SeededBytes } from './seeded_bytes.mjs';
import { chunkedUpload, chunkRounds, timeout } from './sizes.mjs';
import { assertDownload, create, exchange, head, patch } from './tus.mjs';
import { requestHead, WireConnection } from './wire.mjs';

const { bytes: UPLOAD_BYTES, chunkBytes: CHUNK_BYTES } = chunkedUpload;
const PARALLEL = 4;
const BREAKS_PERCENT = 20;

const chunkEndpoint = (gateway) => new URL('/chunked-upload', gateway.endpoint).href;

for (const { asks, how } of [
  { asks: false, how: 'sends whole chunks again' },
  { asks: true, how: 'asks what is missing' },
]) {
  test(`a client that is cut in a fifth of its requests and ${how} gets its bytes through`, { timeout }, async (t) => {
    await withGateway({}, async (gateway) => {
      const { uploader, bytes } = prepare(t, gateway, { asks });
      const last = await uploader.upload();
      assert.equal(last.size, bytes.length);
      await assertDownload(new URL(last.url, gateway.endpoint).href, bytes);
      report(t, uploader, bytes);
      assert.ok(uploader.brokenOff > 0, 'nothing was broken off');
    });
  });
}

test('the same with the gateway killed three times meanwhile', { timeout }, async (t) => {
  await withGateway({}, async (gateway) => {
    const { uploader, bytes } = prepare(t, gateway, { asks: true });
    const uploading = uploader.upload();
    uploading.catch(() => {});
    for (const share of [0.2, 0.5, 0.8]) {
      await sent(uploader, share * bytes.length, uploading);
      await gateway.kill();
      await gateway.restart();
    }
    const last = await uploading;
    await assertDownload(new URL(last.url, gateway.endpoint).href, bytes);
    report(t, uploader, bytes);
  });
});

test('a session begun by chunks is continued by tus-js-client and finished by chunks', { timeout }, async () => {
  await withGateway({}, async (gateway) => {
    const dice = new Dice(7);
    const bytes = new SeededBytes('begun by chunks', 10 * CHUNK_BYTES - 1);
    const options = { sessionId: 'mixed-1', chunkBytes: CHUNK_BYTES, dice };
    const uploader = new ResilientUploader(chunkEndpoint(gateway), bytes, options);
    await uploader.upload([0, 1, 4, 9]);
    let status = await uploader.status();
    assert.deepEqual(standing(status), { offset: 2 * CHUNK_BYTES, uploaded: 4 * CHUNK_BYTES - 1 });
    const url = new URL(status.upload_url, gateway.endpoint).href;
    assert.equal((await head(url)).offset, 2 * CHUNK_BYTES);
    // tus-js-client sends two and a half chunks, then is ended.
    await continuedByTus(url, bytes.slice(), Math.round(2.5 * CHUNK_BYTES));
    status = await uploader.status();
    // Chunk 4 was there: the offset jumped to its end.
    assert.deepEqual(standing(status), { offset: 5 * CHUNK_BYTES, uploaded: 6 * CHUNK_BYTES - 1 });
    assert.deepEqual(status.missing, [{ from: 5 * CHUNK_BYTES, to: 9 * CHUNK_BYTES - 1 }]);
    const last = await uploader.upload([8, 5, 7, 6]);
    assert.equal(last.completed, true);
    await assertDownload(url, bytes);
  });
});

test('a tus upload is finished by chunks', { timeout }, async () => {
  await withGateway({}, async (gateway) => {
    const bytes = new SeededBytes('begun by tus', 6 * CHUNK_BYTES + 17);
    const url = await create(gateway.endpoint, bytes.length);
    const begun = Math.round(1.5 * CHUNK_BYTES);
    assert.equal((await patch(url, 0, bytes.slice(0, begun))).status, 204);
    const options = { sessionId: url.split('/').at(-1), chunkBytes: CHUNK_BYTES, dice: new Dice(3) };
    const uploader = new ResilientUploader(chunkEndpoint(gateway), bytes, options);
    await uploader.upload([6, 3]);
    assert.deepEqual(standing(await uploader.status()), { offset: begun, uploaded: begun + CHUNK_BYTES + 17 });
    assert.equal((await head(url)).offset, begun);
    await uploader.upload([1]);
    assert.equal((await head(url)).offset, 2 * CHUNK_BYTES);
    await uploader.upload([5, 2, 4]);
    await assertDownload(url, bytes);
  });
});

test(`of the same chunk sent twice at once one wins and the bytes are right, ${chunkRounds} times`, { timeout }, async (t) => {
  const dice = new Dice();
  t.diagnostic(`SEED=${dice.seed}`);
  const tally = {};
  await withGateway({}, async (gateway) => {
    for (let round = 0; round < chunkRounds; round += 1) {
      const size = dice.between(2, 256 * 1024);
      const bytes = new SeededBytes(`${dice.seed} ${round}`, size).slice();
      const id = `twice-${round}`;
      const statuses = await twiceAtOnce(gateway.port, id, bytes);
      const told = statuses.sort().join(' ');
      tally[told] = (tally[told] ?? 0) + 1;
      assert.ok(statuses.includes(200), `SEED=${dice.seed} round ${round}: nobody won, ${statuses}`);
      const status = await statusOf(gateway, id);
      assert.equal(status.completed, true, `SEED=${dice.seed} round ${round}`);
      const stored = await exchange('GET', new URL(status.upload_url, gateway.endpoint).href);
      assert.ok(stored.body.equals(bytes), `SEED=${dice.seed} round ${round}: other bytes`);
    }
  });
  t.diagnostic(`answers: ${JSON.stringify(tally)}`);
});

test('curl begins a session and sends its chunks as the predecessor documents it', { timeout }, async () => {
  await withGateway({}, async (gateway) => {
    const endpoint = chunkEndpoint(gateway);
    const begun = await curl(endpoint, '-X', 'POST', '-H', 'X-Filename: notes.txt', '-H', 'X-Total-Size: 11', '-H', 'X-Chunk-Size: 6');
    assert.deepEqual([begun.chunk_size, begun.total_chunks], [6, 2]);
    const chunk = (number, text) =>
      curl(endpoint, '-X', 'PUT', '-H', `X-Upload-Session-ID: ${begun.session_id}`, '-H', `X-Chunk-Number: ${number}`, '--data-binary', text);
    const first = await chunk(1, 'world');
    const { success, chunk: number, uploaded_bytes, total_size, completed } = first;
    assert.deepEqual({ success, number, uploaded_bytes, total_size, completed }, {
      success: true, number: 1, uploaded_bytes: 5, total_size: 11, completed: false,
    });
    assert.equal((await chunk(1, 'world')).message, 'Chunk already uploaded');
    const last = await chunk(0, 'hello ');
    assert.deepEqual([last.success, last.filename, last.size, last.completed], [true, 'notes.txt', 11, true]);
    assert.match(last.duration, /^[0-9.]+s$/);
    const status = await curl(new URL(`/upload-status?session_id=${begun.session_id}`, endpoint).href);
    assert.deepEqual([status.session_id, status.filename, status.completed], [begun.session_id, 'notes.txt', true]);
    const { stdout } = await run('curl', ['-sS', new URL(last.url, endpoint).href]);
    assert.equal(stdout, 'hello world');
  });
});

// tus-js-client asks where the upload stands, sends one PATCH of `chunkSize` bytes and is ended.
function continuedByTus(uploadUrl, source, chunkSize) {
  return new Promise((resolve, reject) => {
    const onChunkComplete = () => upload.abort().then(resolve, reject);
    const upload = new Upload(source, { uploadUrl, chunkSize, retryDelays: null, onChunkComplete, onError: reject });
    upload.start();
  });
}

function prepare(t, gateway, { asks }) {
  const dice = new Dice();
  t.diagnostic(`SEED=${dice.seed}`);
  const bytes = new SeededBytes(dice.seed, UPLOAD_BYTES);
  const options = { sessionId: `phone-${dice.seed}`, chunkBytes: CHUNK_BYTES, parallel: PARALLEL, breaks: BREAKS_PERCENT, dice, asks };
  return { uploader: new ResilientUploader(chunkEndpoint(gateway), bytes, options), bytes };
}

function report(t, uploader, bytes) {
  const { requests, brokenOff, failed, sentBytes } = uploader;
  const twice = sentBytes - bytes.length;
  t.diagnostic(
    `${requests} requests, ${brokenOff} broken off, ${failed} failed; ` +
      `${twice} of ${bytes.length} bytes sent twice (${((100 * twice) / bytes.length).toFixed(1)} %)`,
  );
}

// Resolves when so many bytes were sent; fails if the upload ends before.
async function sent(uploader, bytes, uploading) {
  let ended = false;
  uploading.finally(() => (ended = true)).catch(() => {});
  await until(`${bytes} bytes being sent`, () => ended || uploader.sentBytes >= bytes, { within: timeout, every: 1 });
  assert.ok(!ended, 'the upload ended before the gateway was killed');
}

const standing = ({ offset, uploaded_bytes: uploaded }) => ({ offset, uploaded });

async function statusOf(gateway, id) {
  const answer = await exchange('GET', new URL(`/upload-status?session_id=${id}`, gateway.endpoint).href);
  assert.equal(answer.status, 200, String(answer.body));
  return JSON.parse(answer.body);
}

// Both connections exist before either request is written, so that only the server decides.
async function twiceAtOnce(port, id, bytes) {
  const writers = await Promise.all([0, 1].map(() => WireConnection.open(port)));
  const request = Buffer.concat([
    Buffer.from(
      requestHead('PUT', '/chunked-upload', {
        'X-Upload-Session-ID': id,
        'X-Chunk-Number': 0,
        'X-Total-Chunks': 1,
        'X-Total-Size': bytes.length,
        'Content-Length': bytes.length,
      }),
    ),
    bytes,
  ]);
  try {
    const answers = await Promise.all(
      writers.map((writer) => {
        const answer = writer.answer();
        writer.write(request).catch(() => {});
        return answer;
      }),
    );
    return answers.map(({ status }) => status);
  } finally {
    writers.forEach((writer) => writer.close());
  }
}

async function curl(url, ...options) {
  const { code, stdout, stderr } = await run('curl', ['-sS', ...options, url]);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}
