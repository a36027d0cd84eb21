import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { test } from 'node:test';
import { until } from './deadline.mjs';
import { server, withGateway } from './gateway.mjs';
import { bytesBetween, isStopped } from './kernel.mjs';
import { Dice, SeededBytes } from './seeded_bytes.mjs';
import { crashRounds, KIB, MIB, timeout } from './sizes.mjs';
import { assertDownload, complete, create, decimal, head, remove } from './tus.mjs';
import { patchHead, WireConnection } from './wire.mjs';

const WRITERS = 4;
const PATCHES_PER_UPLOAD = 3;
const WRITE_BYTES = 64 * KIB;
// What a server may have read and not yet written when it dies: one batch.
const BATCH_BYTES = MIB;

test(`kill -9 in mid-PATCH loses nothing acknowledged and corrupts nothing, ${crashRounds} times`, { timeout }, async (t) => {
  await crash(t, crashRounds, async () => {});
});

const rebuildRounds = Math.ceil(crashRounds / 4);
const skip = !server.isTidegate && 'only the gateway has a session store to lose';
test(`the same with the session store deleted and rebuilt by doctor, ${rebuildRounds} times`, { timeout, skip }, async (t) => {
  await crash(t, rebuildRounds, async (gateway) => {
    await rm(gateway.path('sessions'), { recursive: true });
    const { code, stdout, stderr } = await gateway.command('doctor', '--rebuild');
    assert.equal(code, 0, `doctor --rebuild:\n${stdout}${stderr}`);
  });
});

async function crash(t, rounds, afterKill) {
  const dice = new Dice();
  t.diagnostic(`SEED=${dice.seed}`);
  const tally = { interrupted: 0, unread: 0, lost: 0, worst: 0, measured: 0 };
  await withGateway({}, async (gateway) => {
    let finished = [];
    for (let round = 0; round < rounds; round += 1) {
      const writers = await startWriters(gateway, dice, round);
      await killDuring(gateway, writers, dice, { freezes: round % 2 === 0 });
      await afterKill(gateway);
      await gateway.restart();
      for (const writer of writers) {
        await assertKept(writer, tally, `SEED=${dice.seed} round ${round}`);
      }
      // What was complete before this crash has survived it too.
      for (const { url, bytes } of finished) {
        await assertDownload(url, bytes);
        await remove(url);
      }
      finished = writers;
    }
  });
  t.diagnostic(
    `${tally.interrupted} of ${rounds * WRITERS} uploads interrupted; not yet read by the server: ${tally.unread} bytes in all; ` +
      `read but lost, where measured (${tally.measured}): ${tally.lost} bytes in all, at most ${tally.worst} in one upload`,
  );
  assert.ok(tally.interrupted > 0, 'the kill came too late every time');
}

async function startWriters(gateway, dice, round) {
  const writers = [];
  for (let index = 0; index < WRITERS; index += 1) {
    const patches = Array.from({ length: PATCHES_PER_UPLOAD }, () => dice.between(MIB, 8 * MIB));
    const bytes = new SeededBytes(`${dice.seed} ${round} ${index}`, patches.reduce((sum, each) => sum + each));
    writers.push(new Writer(gateway.port, await create(gateway.endpoint, bytes.length), bytes, patches));
  }
  return writers;
}

// The moment is chosen by bytes sent, so that it is as random on a fast machine as on a slow one.
// With `freezes` the process is stopped first: then the kernel tells exactly what it had read.
async function killDuring(gateway, writers, dice, { freezes }) {
  const total = writers.reduce((sum, { bytes }) => sum + bytes.length, 0);
  const moment = dice.between(0, total - 1);
  await new Promise((resolve, reject) => {
    const reached = () => {
      if (writers.reduce((sum, writer) => sum + writer.handed, 0) > moment) {
        resolve();
      }
    };
    for (const writer of writers) {
      writer.run(reached).catch(reject);
    }
  });
  if (freezes) {
    gateway.freeze();
    await until('the process being stopped', () => isStopped(gateway.pid), { every: 1 });
    await settle(writers);
    writers.forEach((writer) => writer.noteRead());
  }
  writers.forEach((writer) => writer.expectFailure());
  await gateway.kill();
  await Promise.all(writers.map(({ done }) => done));
}

// Until nothing moves between client and server: the numbers of the kernel are exact then.
async function settle(writers) {
  let last;
  await until('the sockets coming to rest', () => {
    const now = JSON.stringify(writers.map((writer) => [writer.inKernel, writer.queued]));
    const rests = now === last;
    last = now;
    return rests;
  });
}

async function assertKept(writer, tally, context) {
  const { url, bytes, acknowledged, handed, read } = writer;
  const { offset } = await head(url);
  const said = `${context} ${url}: offset ${offset}, acknowledged ${acknowledged}, sent ${handed}`;
  assert.ok(offset >= acknowledged, `${said}: what was acknowledged is kept`);
  assert.ok(offset <= handed, `${said}: nothing is there that was not sent`);
  if (read !== undefined) {
    const lost = Math.max(0, read - offset);
    assert.ok(lost <= BATCH_BYTES, `${said}: of what the server had read (${read}) at most a batch is lost`);
    tally.measured += 1;
    tally.lost += lost;
    tally.worst = Math.max(tally.worst, lost);
    tally.unread += handed - read;
  }
  if (offset < bytes.length) {
    tally.interrupted += 1;
    await complete(url, bytes, offset);
  }
  await assertDownload(url, bytes);
}

// One client that appends PATCH after PATCH on one connection until the server dies.
class Writer {
  #port;
  #patches;
  #connection;
  #offset = 0;
  #bodyBegan = 0;
  #mayFail = false;

  /** Body bytes the server has confirmed. */
  acknowledged = 0;

  /** Body bytes the server had read when it was frozen, at least; undefined if it was not. */
  read;

  /** Resolves when the writer has stopped, whether done or cut off. */
  done = Promise.resolve();

  constructor(port, url, bytes, patches) {
    this.#port = port;
    this.url = url;
    this.bytes = bytes;
    this.#patches = patches;
  }

  /** Body bytes given to the kernel, at most. */
  get handed() {
    return this.#bodyBytes(this.#connection?.bytesHanded ?? 0);
  }

  /** Bytes of the connection that the kernel has taken, at least. */
  get inKernel() {
    return this.#connection?.bytesInKernel ?? 0;
  }

  /** Bytes of the connection that the server has not read. */
  get queued() {
    return this.#connection ? bytesBetween(this.#connection.localPort, this.#port) : 0;
  }

  run(progressed) {
    this.done = this.#run(progressed).catch((error) => {
      if (!this.#mayFail) {
        throw error;
      }
    });
    return this.done;
  }

  expectFailure() {
    this.#mayFail = true;
  }

  noteRead() {
    this.read = this.#bodyBytes(this.inKernel - this.queued);
  }

  async #run(progressed) {
    this.#connection = await WireConnection.open(this.#port);
    try {
      for (const size of this.#patches) {
        await this.#patch(size, progressed);
      }
    } finally {
      this.#connection.close();
    }
  }

  async #patch(size, progressed) {
    const start = this.#offset;
    const answered = this.#connection.answer();
    answered.catch(() => {});
    await this.#connection.write(patchHead(new URL(this.url).pathname, start, size));
    this.#bodyBegan = this.#connection.bytesHanded - start;
    for (let at = start; at < start + size; at += WRITE_BYTES) {
      const piece = this.bytes.slice(at, Math.min(at + WRITE_BYTES, start + size));
      const written = this.#connection.write(piece);
      progressed();
      await written;
    }
    const { status, headers } = await answered;
    assert.equal(status, 204, `PATCH of ${size} bytes at ${start}`);
    assert.equal(decimal(headers['upload-offset']), start + size);
    this.#offset = start + size;
    this.acknowledged = start + size;
  }

  // Body bytes among the first `bytes` of the connection, never less than what earlier PATCHes had.
  #bodyBytes(bytes) {
    return Math.max(this.#offset, bytes - this.#bodyBegan);
  }
}
