import assert from 'node:assert/strict';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { withPage } from './browser.mjs';
import { until } from './deadline.mjs';
import { server, withGateway } from './gateway.mjs';
import { memoryOf } from './kernel.mjs';
import { run, withScratch } from './scratch.mjs';
import { SeededBytes } from './seeded_bytes.mjs';
import { MIB, timeout } from './sizes.mjs';
import { assertDownload, exchange } from './tus.mjs';
import { requestHead, WireConnection } from './wire.mjs';

const skip = !server.isTidegate && 'only the gateway takes forms';
const LARGE_BYTES = 200_000_000;
const LARGE_LIMIT = 20 * MIB;
const NAME = 'Löwe "1" 日本.bin';
const BOUNDARY = 'form-test';
const OPENING = `--${BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="cut.bin"\r\n\r\n`;

test('curl -F sends a file and fields and gets the answer that scripts know', { timeout, skip }, async () => {
  const bytes = new SeededBytes('form', 3 * MIB + 7);
  await sending(bytes, async ({ gateway, curl, source }) => {
    const part = `file=@${source};filename="${NAME.replaceAll('"', '\\"')}";type=image/png`;
    const { status, answer } = await curl('-F', 'album=first', '-F', part, '--form-string', 'note= two words ');
    assert.equal(status, 200);
    const { url, id, duration, timestamp, ...rest } = answer;
    assert.deepEqual(rest, { success: true, filename: NAME, size: bytes.length });
    assert.match(duration, /^\d+\.\d{3}s$/);
    assert.ok(Math.abs(Date.now() / 1000 - timestamp) < 60, `${timestamp}`);
    assert.ok(url.endsWith(`/${id}`));
    const address = new URL(url, gateway.endpoint).href;
    await assertDownload(address, bytes);
    const { headers } = await exchange('HEAD', address, { headers: { 'Tus-Resumable': '1.0.0' } });
    const metadata = Object.fromEntries(headers['upload-metadata'].split(',').map((pair) => pair.split(' ')));
    const text = (key) => Buffer.from(metadata[key], 'base64').toString();
    assert.deepEqual(['album', 'filename', 'filetype', 'note'].map(text), ['first', NAME, 'image/png', ' two words ']);
  });
});

test('a form through a pipe, of unknown length, is stored too', { timeout, skip }, async () => {
  const bytes = new SeededBytes('piped form', 2 * MIB);
  await sending(bytes, async ({ gateway, curl, source }) => {
    const { status, answer } = await curl('-H', 'Transfer-Encoding: chunked', '-F', `file=@${source}`);
    assert.deepEqual([status, answer.filename], [200, 'source']);
    await assertDownload(new URL(answer.url, gateway.endpoint).href, bytes);
  });
});

test('curl learns why a form is refused', { timeout, skip }, async () => {
  await sending(new SeededBytes('refused form', 2 * MIB), async ({ curl, source }) => {
    const twice = await curl('-F', `file=@${source}`, '-F', `file=@${source}`);
    assert.deepEqual([twice.status, twice.answer.error], [400, 'one-file']);
    const elsewhere = await curl('-F', `photo=@${source}`);
    assert.deepEqual([elsewhere.status, elsewhere.answer.error], [400, 'one-file']);
    const plain = await curl('--data-binary', `@${source}`);
    assert.deepEqual([plain.status, plain.answer.error], [415, 'form-expected']);
  });
});

test(`a form of ${LARGE_BYTES / 1e6} MB stays within ${LARGE_LIMIT / MIB} MiB`, { timeout, skip }, async (t) => {
  const bytes = new SeededBytes('large form', LARGE_BYTES);
  await sending(bytes, async ({ gateway, curl, source }) => {
    const began = performance.now();
    const { status, answer } = await curl('-F', `file=@${source}`);
    const { peak } = memoryOf(gateway.pid);
    const seconds = (performance.now() - began) / 1000;
    t.diagnostic(`peak ${(peak / MIB).toFixed(1)} MiB; ${seconds.toFixed(1)} s, of which the gateway says ${answer.duration}`);
    assert.deepEqual([status, answer.size], [200, LARGE_BYTES]);
    await assertDownload(new URL(answer.url, gateway.endpoint).href, bytes);
    assert.ok(peak <= LARGE_LIMIT, `peak ${(peak / MIB).toFixed(1)} MiB`);
  });
});

test('nothing stays of a form that is cut', { timeout, skip }, async () => {
  const bytes = new SeededBytes('cut form', 4 * MIB);
  await withGateway({}, async (gateway) => {
    const begin = async () => {
      const connection = await WireConnection.open(gateway.port);
      await connection.write(
        requestHead('POST', '/upload', {
          'Content-Type': `multipart/form-data; boundary=${BOUNDARY}`,
          'Content-Length': 2 * bytes.length,
        }),
      );
      await connection.write(OPENING);
      await connection.write(bytes.slice());
      await until('the arrival of its bytes', async () => (await blobs(gateway, 'running')).length > 0);
      return connection;
    };
    const cut = await begin();
    cut.reset();
    await until('the end of its bytes', async () => (await blobs(gateway, 'running')).length === 0);

    await begin();
    await gateway.kill();
    await gateway.restart();
    // What a crash leaves behind belongs to no upload, so that the reaper takes it in time.
    const { body } = await exchange('GET', new URL('/sessions', gateway.admin).href);
    assert.deepEqual(JSON.parse(body).sessions, []);
    assert.deepEqual(await blobs(gateway, 'finished'), []);
    assert.deepEqual(await blobs(gateway, 'labels'), []);
  });
});

test('a page without a script sends a form and shows the answer', { timeout, skip }, async () => {
  const bytes = new SeededBytes('page form', 2 * MIB);
  await withGateway({}, async (gateway) => {
    const action = new URL('/upload', gateway.endpoint).href;
    await withPage(bytes, async (page) => {
      await page.setContent(`
        <form action="${action}" method="post" enctype="multipart/form-data">
          <input type="hidden" name="album" value="Löwen &quot;1&quot;">
          <input type="file" name="file">
          <button name="submit" value="yes">send</button>
        </form>`);
      await page.setInputFiles('input[type=file]', { name: NAME, mimeType: 'image/png', buffer: bytes.slice() });
      const [answer] = await Promise.all([page.waitForResponse(action), page.click('button')]);
      assert.equal(answer.status(), 200);
      const said = JSON.parse(await page.evaluate(() => document.body.innerText));
      assert.deepEqual([said.success, said.filename, said.size], [true, NAME, bytes.length]);
      const address = new URL(said.url, gateway.endpoint).href;
      await assertDownload(address, bytes);
      const { headers } = await exchange('HEAD', address, { headers: { 'Tus-Resumable': '1.0.0' } });
      const encoded = (text) => Buffer.from(text).toString('base64');
      for (const pair of [`album ${encoded('Löwen "1"')}`, `submit ${encoded('yes')}`, `filetype ${encoded('image/png')}`]) {
        assert.ok(headers['upload-metadata'].split(',').includes(pair), `${pair} in ${headers['upload-metadata']}`);
      }
    });
  });
});

test('a form in which no file was chosen is refused', { timeout, skip }, async () => {
  await withGateway({}, async (gateway) => {
    const action = new URL('/upload', gateway.endpoint).href;
    await withPage(new SeededBytes('none', 1), async (page) => {
      await page.setContent(`
        <form action="${action}" method="post" enctype="multipart/form-data">
          <input type="file" name="file"><button>send</button>
        </form>`);
      const [answer] = await Promise.all([page.waitForResponse(action), page.click('button')]);
      assert.equal(answer.status(), 400);
      assert.equal(JSON.parse(await page.evaluate(() => document.body.innerText)).error, 'one-file');
    });
    assert.deepEqual(await blobs(gateway, 'finished'), []);
    await until('the end of what it began', async () => (await blobs(gateway, 'running')).length === 0);
  });
});

test('a script on another origin sends FormData and reads the answer', { timeout, skip }, async () => {
  const bytes = new SeededBytes('FormData', MIB);
  await withGateway({}, async (gateway) => {
    const action = new URL('/upload', gateway.endpoint).href;
    await withPage(bytes, async (page) => {
      const sent = await page.evaluate(sendInPage, action);
      assert.deepEqual([sent.status, sent.answer.filename], [200, 'blob.bin']);
      assert.equal(sent.location, sent.answer.url);
      await assertDownload(new URL(sent.answer.url, gateway.endpoint).href, bytes);
    });
  });
});

// Runs in the page.
async function sendInPage(action) {
  const form = new FormData();
  form.append('file', await (await fetch('/bytes')).blob(), 'blob.bin');
  const response = await fetch(action, { method: 'POST', body: form });
  return { status: response.status, location: response.headers.get('Location'), answer: await response.json() };
}

/** Names of the files in one of the directories of blobs. */
async function blobs(gateway, kind) {
  const entries = await readdir(gateway.path('blobs', kind), { recursive: true, withFileTypes: true });
  return entries.filter((entry) => !entry.isDirectory()).map((entry) => entry.name);
}

async function sending(bytes, body) {
  await withScratch('form', (directory) =>
    withGateway({}, async (gateway) => {
      const source = join(directory, 'source');
      await bytes.writeTo(source);
      const curl = async (...args) => {
        const answer = join(directory, 'answer');
        await writeFile(answer, '');
        const address = new URL('/upload', gateway.endpoint).href;
        const sent = await run('curl', ['-sS', '-o', answer, '-w', '%{http_code}', ...args, address]);
        assert.equal(sent.code, 0, `curl ${args.join(' ')}: ${sent.stderr}`);
        return { status: Number(sent.stdout), answer: JSON.parse(await readFile(answer, 'utf8')) };
      };
      await body({ gateway, curl, source });
    }),
  );
}
