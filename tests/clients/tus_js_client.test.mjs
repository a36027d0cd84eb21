import assert from 'node:assert/strict';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { CuttingProxy } from './cutting_proxy.mjs';
import { withGateway } from './gateway.mjs';
import { withScratch } from './scratch.mjs';
import { SeededBytes } from './seeded_bytes.mjs';
import { KIB, MIB, timeout } from './sizes.mjs';
import { assertDownload, download, exchange, head } from './tus.mjs';
import { RecordedUpload } from './tus_js_client.mjs';

test('four parallel uploads become one file in the right order', { timeout }, async () => {
  const bytes = new SeededBytes('parallel', 32 * MIB + 7);
  await withScratch('source', (directory) =>
    withGateway({}, async ({ endpoint }) => {
      const file = join(directory, 'source');
      await bytes.writeTo(file);
      const upload = await new RecordedUpload(createReadStream(file), { endpoint, parallelUploads: 4 }).run();
      assert.deepEqual(upload.of('POST').map(({ status }) => status), [201, 201, 201, 201, 201], 'four parts and the whole');
      await assertDownload(upload.url, bytes);
    }),
  );
});

test('data sent during creation needs no PATCH', { timeout }, async () => {
  const bytes = new SeededBytes('during creation', 3 * MIB + 1);
  await withGateway({}, async ({ endpoint }) => {
    const upload = await new RecordedUpload(bytes.slice(), { endpoint, uploadDataDuringCreation: true }).run();
    assert.deepEqual(
      upload.exchanges.map(({ method, status, offset }) => ({ method, status, offset })),
      [{ method: 'POST', status: 201, offset: bytes.length }],
    );
    await assertDownload(upload.url, bytes);
  });
});

test('a stream of unknown length is uploaded in pieces and declared at the end', { timeout }, async () => {
  const bytes = new SeededBytes('deferred', 5 * MIB + 3);
  await withGateway({}, async (gateway) => {
    const proxy = await CuttingProxy.start(gateway.port);
    const upload = await new RecordedUpload(bytes.stream(), {
      endpoint: proxy.through(gateway.endpoint),
      uploadLengthDeferred: true,
      chunkSize: MIB,
    }).run();
    await proxy.close();
    assert.match(proxy.requestHeads[0], /^POST [^]*\r\nUpload-Defer-Length: 1\r\n/i);
    assert.doesNotMatch(proxy.requestHeads[0], /\r\nUpload-Length:/i);
    assert.equal(upload.of('PATCH').length, 6);
    const url = new URL(new URL(upload.url).pathname, gateway.endpoint).href;
    assert.equal((await head(url)).headers['upload-length'], String(bytes.length));
    await assertDownload(url, bytes);
  });
});

test('a PATCH disguised as a POST appends', { timeout }, async () => {
  const bytes = new SeededBytes('overridden', 2 * MIB + 11);
  await withGateway({}, async ({ endpoint }) => {
    const upload = await new RecordedUpload(bytes.slice(), { endpoint, overridePatchMethod: true, chunkSize: MIB }).run();
    const appended = upload.exchanges.filter(({ overridden }) => overridden === 'PATCH');
    assert.deepEqual(appended.map(({ method, status }) => `${method} ${status}`), ['POST 204', 'POST 204', 'POST 204']);
    await assertDownload(upload.url, bytes);
  });
});

test('an upload aborted with terminate is gone', { timeout }, async () => {
  const bytes = new SeededBytes('aborted', 16 * MIB);
  await withGateway({}, async (gateway) => {
    const proxy = await CuttingProxy.start(gateway.port);
    const upload = new RecordedUpload(bytes.slice(), { endpoint: proxy.through(gateway.endpoint) });
    let aborted;
    const cut = proxy.callAfter(4 * MIB, () => {
      aborted = upload.abort(true);
    });
    upload.start();
    await cut;
    await aborted;
    await proxy.close();
    const url = new URL(new URL(upload.url).pathname, gateway.endpoint).href;
    assert.deepEqual(upload.of('DELETE').map(({ status }) => status), [204]);
    const headers = { 'Tus-Resumable': '1.0.0' };
    assert.equal((await exchange('HEAD', url, { headers })).status, 404);
    assert.equal((await exchange('GET', url)).status, 404);
  });
});

test('a finished upload can be terminated', { timeout }, async () => {
  await withGateway({}, async ({ endpoint }) => {
    const upload = await new RecordedUpload(new SeededBytes('finished', 100 * KIB).slice(), { endpoint }).run();
    await upload.abort(true);
    assert.deepEqual(upload.of('DELETE').map(({ status }) => status), [204]);
    assert.equal((await exchange('GET', upload.url)).status, 404);
  });
});

test('an empty file is complete as soon as it is created', { timeout }, async () => {
  await withGateway({}, async ({ endpoint }) => {
    const upload = await new RecordedUpload(Buffer.alloc(0), { endpoint }).run();
    const { headers, offset } = await head(upload.url);
    assert.deepEqual({ offset, length: headers['upload-length'] }, { offset: 0, length: '0' });
    const { status, length } = await download(upload.url);
    assert.deepEqual({ status, length }, { status: 200, length: 0 });
  });
});

test('metadata comes back from HEAD as it was sent', { timeout }, async () => {
  const metadata = { filename: 'Ünï ☂ "quoted".txt', filetype: 'text/plain', empty: '' };
  await withGateway({}, async ({ endpoint }) => {
    const upload = await new RecordedUpload(Buffer.from('hello'), { endpoint, metadata }).run();
    const echoed = (await head(upload.url)).headers['upload-metadata'];
    const pairs = echoed.split(',').map((pair) => {
      const [key, value = ''] = pair.trim().split(' ');
      return [key, Buffer.from(value, 'base64').toString()];
    });
    assert.deepEqual(Object.fromEntries(pairs), metadata);
  });
});
