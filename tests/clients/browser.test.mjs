import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withPage } from './browser.mjs';
import { CuttingProxy } from './cutting_proxy.mjs';
import { withGateway } from './gateway.mjs';
import { SeededBytes } from './seeded_bytes.mjs';
import { MIB, timeout } from './sizes.mjs';
import { create } from './tus.mjs';

const FILE_BYTES = 20_000_000;
const MAX_SIZE_BYTES = 64 * MIB;
// Far more than socket buffers hold, so that the refusal comes while the page is still sending.
const REFUSED_BODY_BYTES = 32 * MIB;
// An answer that gets lost in a reset is lost only sometimes.
const REFUSALS = 5;

test('a page on another origin uploads, is cut, resumes and downloads the same bytes', { timeout }, async (t) => {
  const bytes = new SeededBytes('browser', FILE_BYTES);
  await withGateway({}, async (gateway) => {
    const proxy = await CuttingProxy.start(gateway.port);
    await withPage(bytes, async (page) => {
      const cut = proxy.resetAfter(FILE_BYTES / 2);
      const { url, resumedFrom } = await page.evaluate(uploadInPage, proxy.through(gateway.endpoint));
      await cut;
      const methods = proxy.requestHeads.map((head) => head.split(' ')[0]);
      t.diagnostic(`requests seen on the way: ${methods.join(' ')}; resumed from ${resumedFrom}`);
      // More than one HEAD if the first came while bytes from before the cut were still being read.
      assert.ok(resumedFrom.length >= 1, 'it asked where to go on');
      assert.ok(resumedFrom.every((offset) => offset > 0 && offset <= FILE_BYTES / 2), `resumed from ${resumedFrom}`);
      assert.ok(methods.filter((method) => method === 'OPTIONS').length >= 2, 'the browser asked before POST and PATCH');
      const [downloaded, sha256] = await page.evaluate(downloadInPage, url);
      assert.deepEqual([downloaded, sha256], [bytes.length, bytes.sha256()]);
    });
    await proxy.close();
  });
});

test('a page can read why it was refused', { timeout }, async () => {
  await withGateway({}, async ({ endpoint }) => {
    const url = await create(endpoint, 1000);
    const unknown = new URL(`${'0'.repeat(32)}`, `${endpoint.replace(/\/?$/, '/')}`).href;
    await withPage(new SeededBytes('refused', 1), async (page) => {
      const ask = (method, target, headers, body) => page.evaluate(fetchInPage, { method, url: target, headers, body });
      const tus = { 'Tus-Resumable': '1.0.0' };
      const append = { ...tus, 'Content-Type': 'application/offset+octet-stream' };

      const notFound = await ask('HEAD', unknown, tus);
      assert.equal(notFound.status, 404);
      assert.equal(notFound.headers['tus-resumable'], '1.0.0');

      const conflict = await ask('PATCH', url, { ...append, 'Upload-Offset': '7' }, 'hello');
      assert.equal(conflict.status, 409);
      assert.equal(conflict.headers['tus-resumable'], '1.0.0');
      assert.equal(conflict.headers['upload-offset'], '0', 'the page learns the true offset');

      const version = await ask('PATCH', url, { ...append, 'Tus-Resumable': '0.2.2', 'Upload-Offset': '0' }, 'hello');
      assert.equal(version.status, 412);
      assert.equal(version.headers['tus-version'], '1.0.0');
      assert.notEqual(version.text, '', 'it says what was wrong');
    });
  });
});

for (const [what, request] of [
  ['POST', async (endpoint) => ({ method: 'POST', url: endpoint, headers: { 'Upload-Length': String(2 ** 40) } })],
  ['PATCH', async (endpoint) => ({ method: 'PATCH', url: await create(endpoint, 1000), headers: { 'Upload-Offset': '0' } })],
]) {
  test(`a large ${what} refused early reads as 413 in a page, not as a network error`, { timeout }, async () => {
    await withGateway({ maxSizeBytes: MAX_SIZE_BYTES }, async ({ endpoint }) => {
      const refused = await request(endpoint);
      Object.assign(refused.headers, { 'Tus-Resumable': '1.0.0', 'Content-Type': 'application/offset+octet-stream' });
      await withPage(new SeededBytes('early', 1), async (page) => {
        for (let time = 1; time <= REFUSALS; time += 1) {
          const answer = await page.evaluate(fetchInPage, { ...refused, zeros: REFUSED_BODY_BYTES });
          assert.equal(answer.status, 413, `time ${time}: ${answer.error}`);
          assert.equal(answer.headers['tus-resumable'], '1.0.0');
        }
      });
    });
  });
}

// The functions below run in the page.

async function uploadInPage(endpoint) {
  const file = await (await fetch('/bytes')).blob();
  const resumedFrom = [];
  const upload = await new Promise((resolve, reject) => {
    const upload = new globalThis.tus.Upload(file, {
      endpoint,
      retryDelays: [0, 50, 100, 200, 400],
      metadata: { filename: 'from a page' },
      onAfterResponse: (request, response) => {
        if (request.getMethod() === 'HEAD') {
          resumedFrom.push(Number(response.getHeader('Upload-Offset')));
        }
      },
      onSuccess: () => resolve(upload),
      onError: reject,
    });
    upload.start();
  });
  return { url: upload.url, resumedFrom };
}

async function downloadInPage(url) {
  const answer = await fetch(url);
  const bytes = await answer.arrayBuffer();
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return [bytes.byteLength, [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('')];
}

async function fetchInPage({ method, url, headers, body, zeros }) {
  try {
    const answer = await fetch(url, { method, headers, body: zeros ? new Blob([new Uint8Array(zeros)]) : body });
    return { status: answer.status, headers: Object.fromEntries(answer.headers), text: await answer.text() };
  } catch (error) {
    return { error: String(error) };
  }
}
