import assert from 'node:assert/strict';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { CuttingProxy } from './cutting_proxy.mjs';
import { before } from './deadline.mjs';
import { withGateway } from './gateway.mjs';
import { withScratch } from './scratch.mjs';
import { SeededBytes } from './seeded_bytes.mjs';
import { largeUpload, timeout } from './sizes.mjs';
import { assertDownload, head } from './tus.mjs';
import { RecordedUpload } from './tus_js_client.mjs';

const CUT_WITHIN_MS = timeout / 2;

test('a large upload cut by a reset, a kill -9 and a client restart resumes each time from the offset HEAD gives', { timeout }, async (t) => {
  const bytes = new SeededBytes('cut upload', largeUpload);
  await withScratch('source', (directory) =>
    withGateway({}, async (gateway) => {
      const file = join(directory, 'source');
      await bytes.writeTo(file);
      const proxy = await CuttingProxy.start(gateway.port);
      const upload = await cutThreeTimes(gateway, proxy, file);
      await proxy.close();

      const resumptions = offsetsAccepted(t, upload.exchanges);
      assert.equal(resumptions.length, 3, 'it went on after each cut');
      assertTrueOffsets(t, resumptions);
      const here = new URL(new URL(upload.url).pathname, gateway.endpoint).href;
      assert.equal((await head(here)).offset, bytes.length);
      await assertDownload(here, bytes);
    }),
  );
});

// A quarter of the bytes goes by before each cut, so that the last quarter remains at least.
async function cutThreeTimes(gateway, proxy, file) {
  const quarter = Math.floor(largeUpload / 4);
  const upload = new RecordedUpload(
    createReadStream(file),
    { endpoint: proxy.through(gateway.endpoint), metadata: { filename: 'source' } },
    () => proxy.forwarded,
  );
  let restarted;
  const cuts = [
    proxy.resetAfter(quarter),
    proxy.callAfter(quarter, () => {
      gateway.kill();
      restarted = gateway.restart();
    }),
    proxy.callAfter(quarter, () => upload.replaceClient(createReadStream(file))),
  ];
  upload.start();
  for (const [index, cut] of cuts.entries()) {
    await before(`cut ${index + 1}`, Promise.race([cut, upload.finished.then(() => cut)]), CUT_WITHIN_MS);
  }
  await restarted;
  await before('the end of the upload', upload.finished, CUT_WITHIN_MS);
  return upload;
}

// The answered HEADs whose offset the server then accepted. A HEAD may come while the server is
// still reading what the broken connection left behind; then the PATCH gets a 409 and the client
// asks again. That costs a round trip and no bytes.
function offsetsAccepted(t, exchanges) {
  const answered = exchanges.filter(({ method, status }) => (method === 'HEAD' && status === 200) || status === 409);
  const [outrun, accepted] = [[], []];
  answered.forEach((each, index) => {
    if (each.method === 'HEAD') {
      (answered[index + 1]?.status === 409 ? outrun : accepted).push(each);
    }
  });
  if (outrun.length > 0) {
    t.diagnostic(`offsets outrun by bytes still arriving: ${outrun.map(({ offset }) => offset)}`);
  }
  return accepted;
}

// `sentBefore` counts request heads too, so it is an upper bound of the body bytes sent.
function assertTrueOffsets(t, resumptions) {
  let lastOffset = 0;
  let lastSent = 0;
  for (const [index, { offset, sentBefore }] of resumptions.entries()) {
    const reachable = lastOffset + (sentBefore - lastSent);
    t.diagnostic(`cut ${index + 1}: offset ${offset}, at most ${reachable} sent, ${reachable - offset} did not arrive`);
    assert.ok(offset > lastOffset, `offset ${offset} is past ${lastOffset}`);
    assert.ok(offset <= reachable, `offset ${offset} is not past what was sent, ${reachable}`);
    lastOffset = offset;
    lastSent = sentBefore;
  }
}
