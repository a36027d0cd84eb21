// `tidegate doctor --url`: what it finds in front of a gateway, and what it says where there is none.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { binary, freePort, server, withGateway } from './gateway.mjs';
import { PROXIES, makeCertificate, withProxy } from './proxies.mjs';
import { run, withScratch } from './scratch.mjs';
import { timeout } from './sizes.mjs';
import { exchange, trust } from './tus.mjs';

const BELIEVING = { TIDEGATE__SERVER__TRUSTED_PROXIES: "['127.0.0.1']" };
const skip = !server.isTidegate && 'the gateway\'s own command';

// What people write who have read that nginx takes three lines.
const BUFFERING = ['proxy_request_buffering', 'proxy_http_version', 'proxy_buffering'];
const LIMIT = ['client_max_body_size'];
const FORWARDED = ['proxy_set_header'];

for (const kind of Object.keys(PROXIES)) {
  for (const variant of ['plain', 'prefix']) {
    test(`nothing is found in ${kind}, ${variant}`, { timeout, skip }, () =>
      behind({ kind, variant }, async ({ look }) => {
        const { code, found, text } = await look();
        assert.deepEqual(found, [], text);
        assert.equal(code, 0, text);
        const name = { nginx: 'nginx', haproxy: 'HAProxy', caddy: 'Caddy' }[kind];
        assert.match(text, new RegExp(`^ok .* answers, through ${name}$`, 'm'), 'it is recognised');
      }),
    );
  }
}

for (const variant of ['plain', 'prefix']) {
  test(`exactly three findings in an nginx that buffers, limits and says nothing, ${variant}`, { timeout, skip }, async () => {
    const wrong = without([...BUFFERING, ...LIMIT, ...FORWARDED]);
    const found = await behind({ kind: 'nginx', variant, altered: wrong }, async ({ look, gateway }) => {
      const { code, found, text } = await look();
      assert.equal(code, 3, text);
      assert.deepEqual(found.map(({ grade }) => grade), ['WRONG', 'WRONG', 'WRONG'], text);
      await nothingIsLeft(gateway);
      return found;
    });
    const [forwarding, buffering, limit] = found;
    assert.match(forwarding.text, variant === 'plain' ? /clients themselves write/ : /lacks the path that clients use/);
    assert.ok(forwarding.change.includes('proxy_set_header X-Forwarded-Host $http_host;'), forwarding.change.join('\n'));
    assert.match(buffering.text, /held back until they are whole/);
    assert.ok(buffering.change.includes('proxy_request_buffering off;'));
    assert.match(limit.text, /a body of 2.0 MiB is refused with 413, one of 1.0 MiB passes/);
    assert.deepEqual(limit.change, ['client_max_body_size 0;']);

    // What it says is what mends it: put where it belongs, nothing is found any more.
    const change = found.flatMap((finding) => finding.change).join('\n');
    const mended = (text) => wrong(text).replace(/proxy_pass .*/, (line) => `${line}\n${change}`);
    await behind({ kind: 'nginx', variant, altered: mended }, async ({ look }) => {
      const { code, found, text } = await look();
      assert.deepEqual(found, [], text);
      assert.equal(code, 0);
    });
  });
}

for (const [kind, lines, before] of [
  ['haproxy', ['http-request set-header', 'http-request del-header'], /^ +server tidegate/m],
  ['caddy', ['header_up'], /^\t+flush_interval/m],
]) {
  test(`a ${kind} that says nothing is one finding, and its lines mend it`, { timeout, skip }, async () => {
    const wrong = without(lines);
    const { found: [forwarding, ...further] } = await behind({ kind, variant: 'prefix', altered: wrong }, ({ look }) => look());
    assert.deepEqual(further, []);
    assert.match(forwarding.text, /lacks the path that clients use/);
    const mended = (text) => wrong(text).replace(before, (place) => `${forwarding.change.join('\n')}\n${place}`);
    const { found, text } = await behind({ kind, variant: 'prefix', altered: mended }, ({ look }) => look());
    assert.deepEqual(found, [], text);
  });
}

for (const [mistake, altered, seen] of [
  ['takes fields of answers away', after('proxy_hide_header Upload-Offset;'), [/Upload-Offset is missing in the answer to HEAD/, /held back was not seen/]],
  ['takes fields of requests away', after('proxy_set_header Upload-Metadata "";'), [/Upload-Metadata did not reach/]],
  ['takes the session\'s id away', after('proxy_set_header X-Upload-Session-ID "";'), [/X-Upload-Session-ID does not reach/]],
  ['takes the version away', after('proxy_set_header Tus-Resumable "";'), [/answered 412/]],
  ['blocks methods', after('if ($request_method ~ ^(PATCH|DELETE)$) { return 405; }'), [/PATCH on an upload is answered 405; DELETE on an upload is answered 405/, /held back was not seen/, /whether long bodies/, /could not be deleted/]],
  ['answers preflights itself', after('if ($request_method = OPTIONS) { return 204; }'), [/OPTIONS is answered 204 without Tus-Version/, /pages of other origins fail/]],
  ['speaks about origins, too', after('add_header Access-Control-Allow-Origin * always;'), [/more than once/]],
]) {
  test(`an nginx that ${mistake} is found out`, { timeout, skip }, () =>
    behind({ kind: 'nginx', variant: 'plain', altered }, async ({ look }) => {
      const { code, found, text } = await look();
      assert.equal(code, 3, text);
      assert.equal(found.length, seen.length, text);
      seen.forEach((pattern, index) => assert.match(found[index].text, pattern));
    }),
  );
}

test('a Location with http is found behind TLS', { timeout, skip }, () =>
  behind({ kind: 'nginx', variant: 'prefix', altered: (text) => text.replace('X-Forwarded-Proto $scheme', 'X-Forwarded-Proto http') }, async ({ look }) => {
    const { code, found, text } = await look();
    assert.deepEqual([code, found.length], [3, 1], text);
    assert.match(found[0].text, /Location is http although clients use https/);
    assert.ok(found[0].change.includes('proxy_set_header X-Forwarded-Proto $scheme;'));
  }),
);

test('small windows of HTTP/2 are noted, with the lines that widen them', { timeout, skip }, () =>
  behind({ kind: 'nginx', variant: 'prefix', altered: without(['http2_body_preread_size', 'client_body_buffer_size']) }, async ({ look }) => {
    const { code, found, text } = await look();
    assert.deepEqual([code, found.map(({ grade }) => grade)], [0, ['note']], text);
    assert.deepEqual(found[0].change, ['http2_body_preread_size 1m;', 'client_body_buffer_size 1m;']);
  }),
);

test('without a proxy nothing is found, and credentials are not shown', { timeout, skip }, async () => {
  const settings = { TIDEGATE__AUTH__TOKENS: "[{name='ann',token='annas-token-for-this-test-only'}]" };
  await withGateway({ settings }, async (gateway) => {
    const nobody = await doctor(gateway.endpoint);
    assert.deepEqual([nobody.code, nobody.found], [1, []], nobody.text);
    assert.match(nobody.errors, /wants a credential; give one with --header/);
    const ann = await doctor(gateway.endpoint, '--header', 'Authorization: Bearer annas-token-for-this-test-only');
    assert.deepEqual([ann.code, ann.found], [0, []], ann.text);
    assert.ok(!`${ann.text}${ann.errors}`.includes('annas-token'));
    await nothingIsLeft(gateway);
    const wrong = await doctor(gateway.endpoint, '--header', 'Authorization: Bearer somebody-elses-token');
    assert.deepEqual([wrong.code, wrong.found.length], [3, 1], wrong.text);
    assert.match(wrong.found[0].text, /the credential is not good, or the proxy takes it away/);
  });
});

test('a link is as good as a credential, and is not shown', { timeout, skip }, () =>
  withGateway({}, async (gateway) => {
    const { host } = new URL(gateway.endpoint);
    const made = ['link', 'create', '--owner', 'ann', '--expires', '1h', '--listen', host];
    const { stdout } = await gateway.command(...made, '--verbs', 'create,append,inspect,terminate');
    const { code, found, text, errors } = await doctor(stdout.trim());
    assert.deepEqual([code, found], [0, []], text);
    assert.ok(!`${text}${errors}`.includes('tgl1.'), text);
    await nothingIsLeft(gateway);
    const mayNotDelete = await doctor((await gateway.command(...made)).stdout.trim());
    assert.deepEqual(mayNotDelete.found.map(({ grade }) => grade), ['note'], mayNotDelete.text);
    assert.match(mayNotDelete.found[0].text, /could not be deleted/);
  }),
);

test('where no uploads are taken it says so, within the time it was given', { timeout, skip }, async () => {
  const quick = ['--timeout', '1s'];
  const said = async (url, pattern, ...further) => {
    const { code, errors } = await doctor(url, ...quick, ...further);
    assert.match(errors, pattern);
    return code;
  };
  const here = 'http://127.0.0.1';
  assert.equal(await said(`${here}:${await freePort()}/files`, /nothing can be connected to/), 1);
  for (const [answer, pattern] of [
    ['', /the connection was closed without an answer/],
    ['SSH-2.0-OpenSSH_9.2\r\n\r\n', /does not speak HTTP/],
    [undefined, /no answer came in time/],
    ['HTTP/1.1 301 Moved\r\nLocation: https://elsewhere.example/files?link=hush\r\n\r\n', /sends clients on to https:\/\/elsewhere.example\/files;/],
    ['HTTP/1.1 404 Not Found\r\nContent-Length: 7\r\n\r\nnothing', /answers 404 to a creation \(nothing\)/],
    [Buffer.alloc(1 << 20, 'x'), /does not speak HTTP/],
  ]) {
    await withListener(answer, async (port) => assert.equal(await said(`${here}:${port}/files`, pattern), 1));
  }
  await withListener('HTTP/1.1 204 No Content\r\n\r\n', async (port) => {
    assert.equal(await said(`https://127.0.0.1:${port}/files`, /TLS fails/), 1);
  });
  assert.equal(await said('example.org/files', /write the upload endpoint as clients do/), 1);
  assert.equal(await said('http://me:hush@127.0.0.1/files', /leave the password out/), 1);
  assert.equal(await said(`${here}:1/files`, /a --header has to be a line/, '--header', 'hush'), 1);
  assert.equal(await said(`${here}:1/files`, /nginx, haproxy, caddy, apache or traefik/, '--proxy', 'squid'), 2);
});

// A listener that says the same to everybody; nothing at all if `answer` is undefined.
async function withListener(answer, body) {
  const sockets = new Set();
  const listener = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('data', () => answer !== undefined && socket.end(answer));
  }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  try {
    await body(listener.address().port);
  } finally {
    sockets.forEach((socket) => socket.destroy());
    listener.close();
  }
}

// A proxy in front of a gateway that believes it; `look` is the doctor's look at both.
async function behind({ kind, variant, altered }, body) {
  return withScratch('certificate', async (directory) => {
    const certificate = await makeCertificate(directory);
    trust(certificate.pem);
    return withGateway({ settings: BELIEVING }, (gateway) =>
      withProxy({ kind, variant, certificate, altered, gatewayPort: gateway.port }, (proxy) =>
        body({ gateway, look: (...args) => doctor(proxy.url('/files'), '--ca', certificate.chain, ...args) }),
      ),
    );
  });
}

async function doctor(url, ...args) {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('TIDEGATE')));
  const { code, stdout, stderr } = await run(binary, ['doctor', '--url', url, ...args], { env });
  const found = [];
  for (const line of stdout.trimEnd().split('\n')) {
    const [, grade, text] = /^(\S+) +(.*)$/.exec(line) ?? [];
    if (grade === 'WRONG' || grade === 'note') {
      found.push({ grade, text, change: [] });
    } else if (grade === undefined && line !== '') {
      found.at(-1).change.push(/^ +[^:]+: (.*)$/.exec(line)[1]);
    }
  }
  return { code, found, text: stdout, errors: stderr };
}

async function nothingIsLeft(gateway) {
  const { body } = await exchange('GET', new URL('/sessions', gateway.admin).href);
  const there = JSON.parse(body).sessions.filter(({ phase }) => phase !== 'terminated');
  assert.deepEqual(there, []);
}

// Takes the lines away that begin so.
function without(beginnings) {
  return (text) =>
    text.split('\n').filter((line) => !beginnings.some((each) => line.trim().startsWith(each))).join('\n');
}

// Adds a line behind proxy_pass.
function after(line) {
  return (text) => text.replace(/proxy_pass .*/, (pass) => `${pass}\n${line}`);
}
