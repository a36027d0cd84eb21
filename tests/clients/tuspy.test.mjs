import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { CuttingProxy } from './cutting_proxy.mjs';
import { withGateway } from './gateway.mjs';
import { run, withScratch } from './scratch.mjs';
import { SeededBytes } from './seeded_bytes.mjs';
import { MIB, timeout } from './sizes.mjs';
import { assertDownload, head } from './tus.mjs';

const python = process.env.CLIENTS_PYTHON ?? fileURLToPath(new URL('.venv/bin/python', import.meta.url));
const script = fileURLToPath(new URL('tuspy_upload.py', import.meta.url));

test('tuspy uploads with a checksum on every PATCH', { timeout }, async () => {
  await uploading(new SeededBytes('tuspy', 9 * MIB + 5), async ({ tuspy, proxy, here, bytes }) => {
    const { url } = await tuspy();
    const patches = proxy.requestHeads.filter((text) => text.startsWith('PATCH '));
    assert.equal(patches.length, 5);
    for (const patch of patches) {
      assert.match(patch, /\r\nupload-checksum: sha1 \S+\r\n/i);
    }
    await assertDownload(here(url), bytes);
  });
});

test('tuspy continues in a new process where another one stopped', { timeout }, async () => {
  await uploading(new SeededBytes('tuspy again', 9 * MIB + 5), async ({ tuspy, here, bytes }) => {
    const first = await tuspy(4 * MIB);
    assert.equal(first.offset, 4 * MIB);
    assert.equal((await head(here(first.url))).offset, 4 * MIB);
    const second = await tuspy('', first.url);
    assert.equal(second.url, first.url);
    await assertDownload(here(first.url), bytes);
  });
});

async function uploading(bytes, body) {
  await withScratch('source', (directory) =>
    withGateway({}, async (gateway) => {
      const proxy = await CuttingProxy.start(gateway.port);
      const file = join(directory, 'source');
      await bytes.writeTo(file);
      const tuspy = async (...rest) => {
        const { code, stdout, stderr } = await run(python, [script, proxy.through(gateway.endpoint), file, 2 * MIB, ...rest]);
        assert.equal(code, 0, stderr);
        const [url, offset] = stdout.trim().split(' ');
        return { url, offset: Number(offset) };
      };
      const here = (url) => new URL(new URL(url).pathname, gateway.endpoint).href;
      await body({ tuspy, proxy, here, bytes });
      await proxy.close();
    }),
  );
}
