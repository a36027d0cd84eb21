// Upload links: a client that was given a URL, and nothing else, gets its file through.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { binary, withGateway } from './gateway.mjs';
import { withScratch } from './scratch.mjs';
import { SeededBytes } from './seeded_bytes.mjs';
import { MIB, timeout } from './sizes.mjs';
import { assertDownload } from './tus.mjs';
import { RecordedUpload } from './tus_js_client.mjs';

/** A link to a gateway that lets everybody in: what it makes belongs to Ann, so nobody else sees it. */
async function link({ dataDirectory, endpoint }, verbs) {
  const { host } = new URL(endpoint);
  const { stdout } = await promisify(execFile)(binary, [
    ...['link', 'create', '--owner', 'ann', '--expires', '1h', '--verbs', verbs],
    ...['--data-dir', dataDirectory, '--listen', host],
  ]);
  return stdout.trim();
}

const withoutLink = (url) => url.split('?')[0];

test('an upload that began by a link is continued by a client that knows only its URL', { timeout }, async () => {
  const bytes = new SeededBytes('link', 8 * MIB + 3);
  await withGateway({}, async (gateway) => {
    const endpoint = await link(gateway, 'create,append,inspect,download');
    const upload = new RecordedUpload(bytes.slice(), {
      endpoint,
      chunkSize: MIB,
      onChunkComplete: (_, accepted) => {
        if (accepted === 3 * MIB) upload.replaceClient(bytes.slice());
      },
    });
    await upload.run();
    assert.ok(upload.of('HEAD').length > 0, 'the second client asked where to go on');
    assert.match(upload.url, /\?link=tgl1\./);
    await assertDownload(upload.url, bytes);
    const bare = await fetch(withoutLink(upload.url));
    assert.equal(bare.status, 404, 'without the link it is not there');
  });
});

test('parallel parts made by a link become one file, and the link is not kept', { timeout }, async () => {
  const bytes = new SeededBytes('parallel link', 8 * MIB + 7);
  await withScratch('source', (directory) =>
    withGateway({}, async (gateway) => {
      const file = join(directory, 'source');
      await bytes.writeTo(file);
      const endpoint = await link(gateway, 'create,append,inspect,download');
      const source = createReadStream(file);
      const upload = await new RecordedUpload(source, { endpoint, parallelUploads: 3 }).run();
      await assertDownload(upload.url, bytes);
      const asked = { method: 'HEAD', headers: { 'Tus-Resumable': '1.0.0' } };
      const { headers } = await fetch(upload.url, asked);
      assert.match(headers.get('Upload-Concat'), /^final;/);
      assert.doesNotMatch(headers.get('Upload-Concat'), /link=/);
    }),
  );
});
