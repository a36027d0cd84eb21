import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { server, withGateway } from './gateway.mjs';
import { withPage } from './browser.mjs';
import { withScratch } from './scratch.mjs';
import { SeededBytes } from './seeded_bytes.mjs';
import { MIB, timeout } from './sizes.mjs';
import { assertDownload, exchange } from './tus.mjs';
import { RecordedUpload } from './tus_js_client.mjs';

const skip = !server.isTidegate && 'only the gateway has slots';
const SECRET = 'what the XMPP server signs with';
const TYPE = 'video/mp4';
const SLOT = '3f1e7a52-8c0e-4d57-9b3b-6f2f3f0d8a11';
// One pixel.
const PICTURE =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const NAME = 'très cool.mp4';

// How each issuer hands out a slot for the file: what stands behind the path, and the slot's header.
const issuers = {
  'a signed URL (v2)': {
    scheme: 'prosody',
    sign: (length) => ({ query: `?v2=${hmac(`${SLOT}/${NAME}\0${length}\0${TYPE}`, 'hex')}`, headers: {} }),
  },
  'a signed URL (v)': {
    scheme: 'prosody',
    sign: (length) => ({ query: `?v=${hmac(`${SLOT}/${NAME} ${length}`, 'hex')}`, headers: {} }),
  },
  'a token in Authorization': {
    scheme: 'http_file_share',
    sign: (length, filetype = TYPE, slot = SLOT) => {
      const claims = { sub: 'alice@example.org', exp: Math.floor(Date.now() / 1000) + 300, slot };
      const file = { filename: NAME, filesize: length, filetype };
      const parts = [{ alg: 'HS256', typ: 'JWT' }, { ...claims, ...file }];
      const signed = parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
      return { query: '', headers: { Authorization: `Bearer ${signed}.${hmac(signed, 'base64url')}` } };
    },
  },
};

for (const [name, { scheme, sign }] of Object.entries(issuers)) {
  test(`a slot with ${name} whose PUT was cut at 60 % is finished by tus-js-client at the slot's own URL`, { timeout, skip }, async () => {
    const bytes = new SeededBytes(name, 5 * MIB);
    await withSlots(scheme, async ({ gateway, directory }) => {
      const { query, headers } = sign(bytes.length);
      const path = new URL(`/upload/${SLOT}/${encodeURIComponent(NAME)}`, gateway.endpoint);
      const url = path.href + query;
      const cut = await putSixtyPercent(url, bytes, headers);
      assert.equal((await exchange('GET', path)).status, 404, 'nobody gets a part of it');

      const file = join(directory, 'source');
      await bytes.writeTo(file);
      const upload = await new RecordedUpload(createReadStream(file), { uploadUrl: url, headers }).run();
      const exchanges = upload.exchanges.map(({ method, status, requestOffset, offset }) => [method, status, requestOffset, offset]);
      assert.deepEqual(exchanges, [['HEAD', 200, NaN, cut], ['PATCH', 204, cut, bytes.length]]);
      await assertDownload(path.href, bytes);
      const again = await exchange('PUT', url, { headers: { ...headers, 'Content-Type': TYPE }, body: bytes.slice() });
      assert.equal(again.status, 409, 'the slot has its file');
      await assertDownload(path.href, bytes);
    });
  });
}

test('tus-js-client without the token of the slot gets nowhere', { timeout, skip }, async () => {
  const bytes = new SeededBytes('no token', MIB);
  await withSlots('prosody', async ({ gateway }) => {
    const { query } = issuers['a signed URL (v)'].sign(bytes.length);
    const path = new URL(`/upload/${SLOT}/${encodeURIComponent(NAME)}`, gateway.endpoint);
    await putSixtyPercent(path.href + query, bytes, {});
    // Without an endpoint of its own it has nowhere to begin anew.
    const upload = new RecordedUpload(bytes.slice(), { uploadUrl: path.href, retryDelays: [] });
    await assert.rejects(upload.run(), /unexpected response|unable to resume/i);
    assert.deepEqual(upload.exchanges.map(({ method, status }) => [method, status]), [['HEAD', 403]]);
    assert.equal((await exchange('GET', path)).status, 404);
  });
});

test('a page on another origin puts a picture into a slot as Converse does, reads refusals, and shows it', { timeout, skip }, async () => {
  const picture = Buffer.from(PICTURE, 'base64');
  await withSlots('http_file_share', async ({ gateway }) => {
    const { headers } = issuers['a token in Authorization'].sign(picture.length, 'image/png');
    const url = new URL(`/upload/${SLOT}/${encodeURIComponent(NAME)}`, gateway.endpoint).href;
    await withPage(new SeededBytes('no bytes', 1), async (page) => {
      const put = (base64, fields) => page.evaluate(putInPage, { url, base64, headers: { ...fields, 'Content-Type': 'image/png' } });
      const unauthorised = await put(PICTURE, {});
      assert.equal(unauthorised.status, 401);
      assert.match(unauthorised.text, /"error":"unauthorized"/);
      const longer = await put(Buffer.concat([picture, picture]).toString('base64'), headers);
      assert.equal(longer.status, 413);
      assert.match(longer.text, /"error":"slot-length"/);
      assert.deepEqual(await put(PICTURE, headers), { status: 201, text: '', sent: picture.length });
      assert.equal((await put(PICTURE, headers)).status, 409);
      assert.deepEqual(await page.evaluate(showInPage, url), [1, 1], 'the picture is shown');
      const fetched = await page.evaluate((address) => fetch(address).then((answer) => answer.arrayBuffer()).then((bytes) => bytes.byteLength), url);
      assert.equal(fetched, picture.length);
    });
  });
});

test('a page that was put into a slot is saved by browsers and never run', { timeout, skip }, async () => {
  const script = Buffer.from('<!doctype html><title>no</title><script>document.title = "it runs"</script>');
  await withSlots('http_file_share', async ({ gateway }) => {
    for (const type of ['text/html', 'image/svg+xml', 'application/xhtml+xml']) {
      const slot = `slot-${type.length}`;
      const { headers } = issuers['a token in Authorization'].sign(script.length, type, slot);
      const url = new URL(`/upload/${slot}/${encodeURIComponent(NAME)}`, gateway.endpoint).href;
      const put = await exchange('PUT', url, { headers: { ...headers, 'Content-Type': type, 'Content-Length': script.length }, body: script });
      assert.equal(put.status, 201);
      await withPage(new SeededBytes('no bytes', 1), async (page) => {
        const [download] = await Promise.all([page.waitForEvent('download'), page.goto(url).catch(() => {})]);
        assert.equal(download.suggestedFilename(), NAME);
        assert.equal(await page.title(), 'another origin', 'the page that was there is still there');
      });
    }
  });
});

function hmac(text, encoding) {
  return createHmac('sha256', SECRET).update(text).digest(encoding);
}

function withSlots(scheme, body) {
  const tenants = `[{ scheme = "${scheme}", secret = "${SECRET}" }]`;
  return withScratch('source', (directory) => withGateway({ tenants }, (gateway) => body({ gateway, directory })));
}

// What a client that knows nothing of tus does: one PUT. It ends after 60 % of the bytes.
async function putSixtyPercent(url, bytes, headers) {
  const cut = Math.floor(bytes.length * 0.6);
  const fields = { ...headers, 'Content-Type': TYPE, 'Content-Length': bytes.length };
  const request = httpRequest(url, { method: 'PUT', headers: fields, agent: false });
  request.write(bytes.slice(0, cut), () => request.socket.end());
  const [answer] = await once(request, 'response');
  answer.resume();
  assert.deepEqual([answer.statusCode, answer.headers['upload-offset']], [400, String(cut)]);
  return cut;
}

// The functions below run in the page.

function putInPage({ url, base64, headers }) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    let sent = 0;
    request.upload.onprogress = (event) => {
      sent = event.loaded;
    };
    request.onloadend = () => resolve({ status: request.status, text: request.responseText, sent });
    request.open('PUT', url, true);
    for (const [name, value] of Object.entries(headers)) {
      request.setRequestHeader(name, value);
    }
    request.send(new Blob([Uint8Array.from(atob(base64), (char) => char.charCodeAt(0))]));
  });
}

function showInPage(url) {
  return new Promise((resolve) => {
    const picture = new Image();
    picture.onload = () => resolve([picture.naturalWidth, picture.naturalHeight]);
    picture.onerror = () => resolve('an error');
    picture.src = url;
  });
}
