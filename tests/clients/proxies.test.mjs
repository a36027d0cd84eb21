import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { test } from 'node:test';
import { DefaultHttpStack } from 'tus-js-client';
import { CuttingProxy } from './cutting_proxy.mjs';
import { before, until } from './deadline.mjs';
import { freePort, server, withGateway } from './gateway.mjs';
import { PREFIX, PROXIES, makeCertificate, withProxy } from './proxies.mjs';
import { withScratch } from './scratch.mjs';
import { SeededBytes } from './seeded_bytes.mjs';
import { MIB, timeout } from './sizes.mjs';
import { assertDownload, begin, complete, create, decimal, exchange, head, patch, remove, trust } from './tus.mjs';
import { RecordedUpload } from './tus_js_client.mjs';

const TUS = { 'Tus-Resumable': '1.0.0' };
const LARGE_BYTES = 64 * MIB;
// Not the proxy's address, so that the two cannot be confused.
const CLIENT = '127.0.0.2';
const BELIEVING = {
  TIDEGATE__SERVER__TRUSTED_PROXIES: "['127.0.0.1']",
  TIDEGATE__LOG__FORMAT: 'json',
  // So that an operator sees how far an upload is while it goes on.
  TIDEGATE__STORAGE__CHECKPOINT_BYTES: '512KiB',
};
const FORGED = {
  'X-Forwarded-For': '198.51.100.1',
  'X-Forwarded-Proto': 'https',
  'X-Forwarded-Host': 'forged.example',
};

// What is written in Go answers early and then closes, and Node notices the end before it reads the answer.
const LOSES_REFUSALS = ['caddy'];

// Drops what it has read and not yet passed on when a client goes away in the middle.
const LOSES_THE_LAST_BYTES = ['nginx'];

const skip = !server.isTidegate && 'the gateway\'s own configurations';

for (const kind of Object.keys(PROXIES)) {
  for (const variant of ['plain', 'prefix']) {
    const how = variant === 'plain' ? 'at the root' : `with TLS, below ${PREFIX}`;
    test(`${kind} ${how}`, { timeout, skip }, async (t) => {
      const started = performance.now();
      await withScratch('certificate', async (directory) => {
        const certificate = await makeCertificate(directory);
        trust(certificate.pem);
        await withGateway({ settings: BELIEVING }, (gateway) =>
          withProxy({ kind, variant, certificate, gatewayPort: gateway.port }, (proxy) =>
            trials(t, { gateway, proxy, certificate, kind, variant }),
          ),
        );
        await t.test('Location is right by server.public_url, with nobody believed', () =>
          byPublicUrl({ kind, variant, certificate }),
        );
      });
      t.diagnostic(`${kind} ${how}: ${((performance.now() - started) / 1000).toFixed(1)} s`);
    });
  }
}

async function trials(t, { gateway, proxy, certificate, kind, variant }) {
  const endpoint = proxy.url('/files');
  const trial = (name, body) => t.test(name, { timeout }, body);

  await trial('bytes reach the gateway while the client is still sending', () => streams(endpoint, gateway));
  await trial('a client that goes away after its last byte has sent it', () => leaves(endpoint, gateway, MIB));
  if (!LOSES_THE_LAST_BYTES.includes(kind)) {
    await trial('what was sent before a connection ends is kept, to the last byte', () => leaves(endpoint, gateway, 61_234));
  }
  await trial('Location has scheme, host, port and path as the client sees them', async () => {
    assert.equal(await createdAt(endpoint), `${endpoint}/`);
  });
  await trial('what a client forges about itself is not believed', () => forged(endpoint, gateway));
  await trial('the client\'s address arrives, and only by the proxy', () => address(endpoint, gateway));
  await trial('a body of 64 MiB passes in one request', async (t) => {
    const bytes = new SeededBytes('through a proxy', LARGE_BYTES);
    const url = await create(endpoint, bytes.length);
    const started = performance.now();
    await complete(url, bytes, 0);
    t.diagnostic(`${((LARGE_BYTES / MIB) / ((performance.now() - started) / 1000)).toFixed(0)} MiB/s`);
    await assertDownload(url, bytes);
    await remove(url);
  });
  await trial('an upload that is cut is resumed by tus-js-client', () => resumes(proxy, certificate));
  await trial('a body whose length is not announced passes', () => unannounced(endpoint));
  await trial('a client that expects 100 Continue is told so, or refused before its body', () => expects(endpoint));
  await trial('a refusal reaches a client that is still sending', () =>
    refused(endpoint, LOSES_REFUSALS.includes(kind)),
  );
  await trial('a range is downloaded, and an upload is deleted', () => downloads(endpoint));
  await trial('pages of other origins are let in by the gateway\'s own words', () => preflight(endpoint));
  await trial('chunk headers and forms are there, too', () => besides(proxy));
  if (variant === 'prefix') {
    await trial('an upload by HTTP/2 has its Location and its bytes', () => byHttp2(endpoint, certificate));
  }
}

// What an upload is created at, up to its id.
async function createdAt(endpoint, headers = {}) {
  const answer = await exchange('POST', endpoint, {
    headers: { ...TUS, 'Content-Length': 0, 'Upload-Length': 1, ...headers },
  });
  assert.equal(answer.status, 201);
  return answer.headers.location.replace(/[0-9a-f]{32}$/, '');
}

async function streams(endpoint, gateway) {
  const bytes = new SeededBytes('streams', 2 * MIB);
  const url = await create(endpoint, bytes.length);
  const half = sending(url, bytes.length);
  half.write(bytes.slice(0, MIB));
  await until('the first half to arrive', async () => (await seen(gateway, url)) >= MIB / 2, { every: 50 });
  half.end(bytes.slice(MIB));
  const [answer] = await before('the answer', once(half, 'response'));
  assert.equal(answer.statusCode, 204);
  half.destroy();
  await assertDownload(url, bytes);
}

// How far an upload is. The operator's look disturbs nobody; a client's would take the upload over from one
// that pauses.
async function seen(gateway, url) {
  const id = new URL(url).pathname.split('/').at(-1);
  const { body } = await exchange('GET', new URL(`/sessions/${id}`, gateway.admin).href);
  return JSON.parse(body).offset;
}

// A PATCH whose body is up to the caller.
function sending(url, length) {
  const request = begin('PATCH', url, {
    ...TUS,
    'Content-Type': 'application/offset+octet-stream',
    'Upload-Offset': 0,
    'Content-Length': length,
  });
  request.on('error', () => {});
  return request;
}

// Sends so many bytes of 1 MiB and goes away at once, without looking at any answer.
async function leaves(endpoint, gateway, sent) {
  const bytes = new SeededBytes('leaves', MIB);
  const url = await create(endpoint, bytes.length);
  const request = sending(url, bytes.length);
  await new Promise((resolve) => request.write(bytes.slice(0, sent), resolve));
  // Without a reset, which may overtake what was sent before it.
  request.socket.end();
  await until('what was sent to arrive', async () => (await seen(gateway, url)) === sent, { every: 50 });
  request.destroy();
}

async function forged(endpoint, gateway) {
  for (const headers of [
    FORGED,
    { Forwarded: 'for=198.51.100.1;proto=https;host=forged.example' },
    { 'X-Forwarded-Prefix': '/forged' },
  ]) {
    assert.equal(await createdAt(endpoint, headers), `${endpoint}/`, `with ${JSON.stringify(headers)}`);
    assert.notEqual(await clientOf(gateway, endpoint, { headers }), '198.51.100.1');
  }
}

async function address(endpoint, gateway) {
  assert.equal(await clientOf(gateway, endpoint, { localAddress: CLIENT }), CLIENT);
  const forgery = { headers: { 'X-Forwarded-For': '198.51.100.1' }, localAddress: CLIENT };
  assert.equal(await clientOf(gateway, endpoint, forgery), CLIENT);
  // Past the proxy, from an address that is not one.
  assert.equal(await clientOf(gateway, gateway.endpoint, forgery), CLIENT);
}

// The client in the gateway's log of a request.
async function clientOf(gateway, endpoint, options) {
  const id = [...Array(32)].map(() => Math.floor(Math.random() * 16).toString(16)).join('');
  const answer = await exchange('HEAD', `${endpoint}/${id}`, { ...options, headers: { ...TUS, ...options.headers } });
  assert.equal(answer.status, 404);
  const line = await until('a line of the log', () => gateway.log.split('\n').find((each) => each.includes(id)));
  return JSON.parse(line).client;
}

async function resumes(proxy, certificate) {
  const bytes = new SeededBytes('cut before a proxy', 8 * MIB);
  const cutting = await CuttingProxy.start(proxy.port);
  const upload = new RecordedUpload(bytes.slice(), {
    endpoint: cutting.through(proxy.url('/files')),
    httpStack: new DefaultHttpStack({ ca: certificate.pem }),
  });
  const cut = cutting.resetAfter(3 * MIB);
  upload.start();
  await before('the cut', cut);
  await before('the end of the upload', upload.finished, timeout / 2);
  await cutting.close();
  assert.ok(
    upload.of('HEAD').some(({ offset }) => offset > 0 && offset < bytes.length),
    'it went on from what had arrived',
  );
  const url = new URL(upload.url);
  assert.equal(url.port, String(cutting.port), 'it was created where the client asked for it');
  url.port = proxy.port;
  await assertDownload(url.href, bytes);
}

async function unannounced(endpoint) {
  const bytes = new SeededBytes('unannounced', 3 * MIB);
  const url = await create(endpoint, bytes.length);
  const answer = await exchange('PATCH', url, {
    headers: { ...TUS, 'Content-Type': 'application/offset+octet-stream', 'Upload-Offset': 0, 'Transfer-Encoding': 'chunked' },
    body: bytes.stream(),
  });
  assert.equal(answer.status, 204);
  await assertDownload(url, bytes);
}

async function expects(endpoint) {
  const bytes = new SeededBytes('expects', MIB);
  const url = await create(endpoint, bytes.length);
  const headers = { Expect: '100-continue' };
  assert.equal((await patch(url, 1, bytes.slice(), bytes.length, headers)).status, 409);
  assert.equal((await patch(url, 0, bytes.slice(), bytes.length, headers)).status, 204);
  await assertDownload(url, bytes);
}

async function refused(endpoint, mayBeLost) {
  const bytes = new SeededBytes('refused', 8 * MIB);
  const url = await create(endpoint, bytes.length);
  const answer = await patch(url, 1, bytes.stream(), bytes.length).catch((error) => error);
  if (mayBeLost && ['EPIPE', 'ECONNRESET'].includes(answer.code)) {
    assert.equal((await head(url)).offset, 0);
  } else {
    assert.deepEqual([answer.status, decimal(answer.headers?.['upload-offset'])], [409, 0], String(answer));
  }
}

async function downloads(endpoint) {
  const bytes = new SeededBytes('downloads', 3 * MIB);
  const url = await create(endpoint, bytes.length);
  await complete(url, bytes, 0);
  const range = await exchange('GET', url, { headers: { Range: 'bytes=1000000-1999999' } });
  assert.equal(range.status, 206);
  assert.equal(range.headers['content-range'], `bytes 1000000-1999999/${bytes.length}`);
  assert.ok(range.body.equals(bytes.slice(1_000_000, 2_000_000)));
  await remove(url);
  assert.equal((await exchange('HEAD', url, { headers: TUS })).status, 404);
}

async function preflight(endpoint) {
  const Origin = 'https://app.example';
  const asked = await exchange('OPTIONS', endpoint, {
    headers: { Origin, 'Access-Control-Request-Method': 'PATCH', 'Access-Control-Request-Headers': 'tus-resumable,upload-offset' },
  });
  assert.equal(asked.status, 204);
  assert.equal(asked.headers['access-control-allow-origin'], '*');
  assert.match(asked.headers['access-control-allow-methods'], /\bPATCH\b/);
  const created = await exchange('POST', endpoint, { headers: { ...TUS, Origin, 'Content-Length': 0, 'Upload-Length': 1 } });
  assert.match(created.headers['access-control-expose-headers'], /\bLocation\b.*\bUpload-Offset\b/);
}

async function besides(proxy) {
  const chunk = Buffer.from('hello');
  const answer = await exchange('PUT', proxy.url('/chunked-upload'), {
    headers: { 'X-Upload-Session-ID': `through-${proxy.port}`, 'X-Chunk-Number': 0, 'X-Total-Chunks': 1, 'X-Chunk-Size': 5, 'Content-Range': 'bytes 0-4/5', 'Content-Length': 5 },
    body: chunk,
  });
  assert.equal(answer.status, 200, String(answer.body));
  const status = await exchange('GET', proxy.url(`/upload-status?session_id=through-${proxy.port}`));
  assert.equal(status.status, 200, String(status.body));
}

async function byHttp2(endpoint, certificate) {
  const url = new URL(endpoint);
  const session = connectHttp2(url.origin, { ca: certificate.pem });
  try {
    const ask = async (headers, body) => {
      const stream = session.request(headers);
      const answered = once(stream, 'response');
      stream.end(body);
      const [answer] = await before('an answer', answered);
      stream.resume();
      return answer;
    };
    const bytes = new SeededBytes('by HTTP/2', 3 * MIB);
    const created = await ask({ ':method': 'POST', ':path': url.pathname, ...TUS, 'upload-length': bytes.length });
    assert.equal(created[':status'], 201);
    assert.equal(created.location.replace(/[0-9a-f]{32}$/, ''), `${endpoint}/`);
    const answer = await ask(
      { ':method': 'PATCH', ':path': new URL(created.location).pathname, ...TUS, 'upload-offset': 0, 'content-type': 'application/offset+octet-stream' },
      bytes.slice(),
    );
    assert.equal(answer[':status'], 204);
    await assertDownload(created.location, bytes);
  } finally {
    session.destroy();
  }
}

async function byPublicUrl({ kind, variant, certificate }) {
  const port = await freePort();
  const origin = variant === 'plain' ? `http://127.0.0.1:${port}` : `https://127.0.0.1:${port}${PREFIX}`;
  await withGateway({ settings: { TIDEGATE__SERVER__PUBLIC_URL: origin } }, (gateway) =>
    withProxy({ kind, variant, certificate, port, gatewayPort: gateway.port }, async (proxy) => {
      assert.equal(await createdAt(proxy.url('/files')), `${origin}/files/`);
      assert.equal(await createdAt(proxy.url('/files'), FORGED), `${origin}/files/`);
    }),
  );
}
