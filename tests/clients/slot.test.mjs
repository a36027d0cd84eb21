import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { server, withGateway } from './gateway.mjs';
import { withScratch } from './scratch.mjs';
import { SeededBytes } from './seeded_bytes.mjs';
import { MIB, timeout } from './sizes.mjs';
import { assertDownload, exchange } from './tus.mjs';
import { RecordedUpload } from './tus_js_client.mjs';

const skip = !server.isTidegate && 'only the gateway has slots';
const SECRET = 'what the XMPP server signs with';
const TYPE = 'video/mp4';
const SLOT = '3f1e7a52-8c0e-4d57-9b3b-6f2f3f0d8a11';
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
    sign: (length) => {
      const claims = { sub: 'alice@example.org', exp: Math.floor(Date.now() / 1000) + 300, slot: SLOT };
      const file = { filename: NAME, filesize: length, filetype: TYPE };
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
