import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { server, withGateway } from './gateway.mjs';
import { run, withScratch } from './scratch.mjs';
import { SeededBytes } from './seeded_bytes.mjs';
import { MIB, timeout } from './sizes.mjs';
import { exchange } from './tus.mjs';

const TUS = ['-H', 'Tus-Resumable: 1.0.0'];
const BODY = ['-H', 'Content-Type: application/offset+octet-stream'];

test('curl creates, appends, asks and downloads', { timeout }, async () => {
  const bytes = new SeededBytes('curl', 3 * MIB);
  await uploading(bytes, async ({ create, curl, directory }) => {
    const url = await create(bytes.length);
    const half = join(directory, 'half');
    await writeFile(half, bytes.slice(0, MIB));
    const rest = join(directory, 'rest');
    await writeFile(rest, bytes.slice(MIB));

    const first = await curl('-X', 'PATCH', ...TUS, ...BODY, '-H', 'Upload-Offset: 0', '--data-binary', `@${half}`, url);
    assert.deepEqual([first.status, first.headers['upload-offset']], [204, String(MIB)]);
    const asked = await curl('-I', ...TUS, url);
    assert.deepEqual([asked.status, asked.headers['upload-offset']], [200, String(MIB)]);
    const second = await curl('-X', 'PATCH', ...TUS, ...BODY, '-H', `Upload-Offset: ${MIB}`, '-T', rest, url);
    assert.deepEqual([second.status, second.headers['upload-offset']], [204, String(bytes.length)]);

    const whole = await curl(url);
    assert.equal(whole.status, 200);
    assert.ok(whole.body.equals(bytes.slice()));
    const range = await curl('-r', '1000000-1999999', url);
    assert.equal(range.status, 206);
    assert.equal(range.headers['content-range'], `bytes 1000000-1999999/${bytes.length}`);
    assert.ok(range.body.equals(bytes.slice(1_000_000, 2_000_000)));
  });
});

test('curl appends a body whose length it does not announce', { timeout }, async () => {
  const bytes = new SeededBytes('curl chunked', 2 * MIB);
  await uploading(bytes, async ({ create, curl, source }) => {
    const url = await create(bytes.length);
    const chunked = ['-X', 'PATCH', ...TUS, ...BODY, '-H', 'Upload-Offset: 0', '-H', 'Transfer-Encoding: chunked', '-T', source];
    const answer = await curl(...chunked, url);
    assert.equal(answer.status, 204);
    assert.ok((await curl(url)).body.equals(bytes.slice()));
  });
});

test('a download broken off is continued by curl -C', { timeout }, async () => {
  const bytes = new SeededBytes('curl continue', 2 * MIB);
  await uploading(bytes, async ({ create, curl, source, directory }) => {
    const url = await create(bytes.length);
    assert.equal((await curl('-X', 'PATCH', ...TUS, ...BODY, '-H', 'Upload-Offset: 0', '-T', source, url)).status, 204);
    const partial = join(directory, 'partial');
    await writeFile(partial, bytes.slice(0, 700_001));
    const { code, stderr } = await run('curl', ['-sS', '-f', '-C', '-', '-o', partial, url]);
    assert.equal(code, 0, stderr);
    assert.ok((await readFile(partial)).equals(bytes.slice()));
  });
});

const skip = !server.isTidegate && 'only the gateway prints a line to paste';
test('the line printed at the start uploads five bytes', { timeout, skip }, async () => {
  await withGateway({}, async ({ tryIt, endpoint }) => {
    const { code, stdout, stderr } = await run('sh', ['-c', tryIt]);
    assert.equal(code, 0, `${tryIt}\n${stderr}`);
    const [, location] = /^location: (\S+)\r$/im.exec(stdout);
    const { status, body } = await exchange('GET', new URL(location, endpoint).href);
    assert.deepEqual([status, String(body)], [200, 'hello']);
  });
});

async function uploading(bytes, body) {
  await withScratch('curl', (directory) =>
    withGateway({}, async ({ endpoint }) => {
      const source = join(directory, 'source');
      await bytes.writeTo(source);
      const curl = async (...args) => {
        const [headersFile, bodyFile] = [join(directory, 'headers'), join(directory, 'body')];
        await writeFile(bodyFile, '');
        const { code, stderr } = await run('curl', ['-sS', '-D', headersFile, '-o', bodyFile, ...args]);
        assert.equal(code, 0, `curl ${args.join(' ')}: ${stderr}`);
        return { ...finalHead(await readFile(headersFile, 'latin1')), body: await readFile(bodyFile) };
      };
      const create = async (length) => {
        const { status, headers } = await curl('-X', 'POST', ...TUS, '-H', `Upload-Length: ${length}`, endpoint);
        assert.equal(status, 201);
        return new URL(headers.location, endpoint).href;
      };
      await body({ curl, create, source, directory });
    }),
  );
}

// The last head in curl's header file; the ones before are 100 Continue.
function finalHead(text) {
  const [statusLine, ...lines] = text.trimEnd().split('\r\n\r\n').at(-1).split('\r\n');
  const headers = lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]);
  return { status: Number(statusLine.split(' ')[1]), headers: Object.fromEntries(headers) };
}
