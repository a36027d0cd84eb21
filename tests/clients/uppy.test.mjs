// Uppy with its Dashboard in Chromium, driven as a user would: by the file input and the buttons.

import assert from 'node:assert/strict';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { before } from './deadline.mjs';
import { assertServed, AWKWARD_NAME, cell, CUT_AFTER_BYTES, CUT_FILE_BYTES, offsetsSent, sentAgain } from './matrix.mjs';
import { crash, inChromium, midway } from './matrix_browser.mjs';
import { SeededBytes } from './seeded_bytes.mjs';
import { KIB, MIB } from './sizes.mjs';
import { head } from './tus.mjs';

const CLIENT = 'Uppy';
const ENDED_WITHIN_MS = 60_000;
const MANY = 20;
// Golden Retriever keeps files up to 10 MB.
const KEPT_FILE_BYTES = 9_000_000;

const uploading = (seed, length, body) => inChromium({ page: 'uppy.html', seed: `uppy ${seed}`, length }, body);

cell(CLIENT, 'upload', 'Uppy uploads', () =>
  uploading('upload', CUT_FILE_BYTES, async ({ gateway, bytes, file, open }) => {
    const page = await open();
    await choose(page, file);
    await press(page, 'Upload 1 file');
    const urls = await completed(page);
    await assertServed(gateway, urls['source.txt'], bytes, 'source.txt');
  }),
);

cell(CLIENT, 'name', 'a file that Uppy sent is served under its name, which is not ASCII', () =>
  uploading('name', 1000, async ({ gateway, bytes, file, directory, open }) => {
    const awkward = join(directory, AWKWARD_NAME);
    await rename(file, awkward);
    const page = await open();
    await choose(page, awkward);
    await press(page, 'Upload 1 file');
    const urls = await completed(page);
    await assertServed(gateway, urls[AWKWARD_NAME], bytes, AWKWARD_NAME);
  }),
);

cell(CLIENT, 'cut', 'Uppy goes on by itself after its connection was reset in the middle of a body', () =>
  uploading('cut', CUT_FILE_BYTES, async (way) => {
    const page = await way.open();
    const cut = way.proxy.resetAfter(CUT_AFTER_BYTES);
    await choose(page, way.file);
    await press(page, 'Upload 1 file');
    const urls = await completed(page);
    await before('the cut', cut, 1000);
    await assertServed(way.gateway, urls['source.txt'], way.bytes, 'source.txt');
    return kept(await sentAgain(way));
  }),
);

cell(CLIENT, 'many', `${MANY} files at once arrive, although two connections are reset`, () =>
  uploading('many', 1, async ({ gateway, proxy, directory, open }) => {
    const files = await manyFiles(directory);
    const page = await open();
    const cuts = [proxy.resetAfter(4 * MIB), proxy.resetAfter(4 * MIB)];
    await choose(page, ...files.map(({ path }) => path));
    await press(page, `Upload ${MANY} files`);
    const urls = await completed(page);
    await before('the cuts', Promise.all(cuts), 1000);
    assert.equal(new Set(Object.values(urls)).size, MANY);
    for (const { name, bytes } of files) {
      await assertServed(gateway, urls[name], bytes, name);
    }
  }),
);

cell(CLIENT, 'paused', 'an upload that is paused stands still, and goes on from there when it is resumed', () =>
  uploading('paused', CUT_FILE_BYTES, async (way) => {
    const page = await way.open();
    const stopped = midway(way.proxy);
    await choose(page, way.file);
    await press(page, 'Upload 1 file');
    await stopped;
    await press(page, 'Pause');
    await statusBar(page).getByText(/^Paused/).waitFor();
    // Were it not paused, it would still wait on the connection that goes nowhere.
    await press(page, 'Resume');
    const urls = await completed(page);
    await assertServed(way.gateway, urls['source.txt'], way.bytes, 'source.txt');
    assertContinued(way.proxy);
    return kept(await sentAgain(way));
  }),
);

cell(CLIENT, 'retried', 'when the gateway was away for too long, the button "Retry" goes on where it was', () =>
  uploading('retried', CUT_FILE_BYTES, async (way) => {
    const page = await way.open({ retryDelays: [50] });
    const stopped = midway(way.proxy);
    await choose(page, way.file);
    await press(page, 'Upload 1 file');
    await stopped;
    await way.gateway.kill();
    await statusBar(page).getByText('Upload failed').waitFor();
    await way.gateway.restart();
    await statusBar(page).getByRole('button', { name: 'Retry upload' }).click();
    const urls = await completed(page);
    await assertServed(way.gateway, urls['source.txt'], way.bytes, 'source.txt');
    assertContinued(way.proxy);
  }),
);

for (const [which, how, leave] of [
  ['reloaded', 'the page was reloaded', async (page) => page.reload().then(() => page)],
  ['killed', 'the tab crashed and a new one was opened', (page, open) => crash(page).then(() => open({ golden: true }))],
]) {
  cell(CLIENT, which, `with Golden Retriever an upload is restored and goes on after ${how}`, () =>
    uploading(which, KEPT_FILE_BYTES, async (way) => {
      const page = await way.open({ golden: true });
      const stopped = midway(way.proxy);
      await choose(page, way.file);
      await press(page, 'Upload 1 file');
      await stopped;
      const next = await leave(page, way.open);
      await next.getByText('Session restored').waitFor();
      await press(next, 'Upload 1 file');
      const urls = await completed(next);
      await assertServed(way.gateway, urls['source.txt'], way.bytes, 'source.txt');
      assertContinued(way.proxy);
      return kept(await sentAgain(way));
    }),
  );
}

for (const golden of [false, true]) {
  const restored = golden ? 'of which Golden Retriever kept only the name' : 'without Golden Retriever';
  cell(CLIENT, 'chosen again', `an upload ${restored} goes on after a reload when the same file is chosen again`, () =>
    uploading('chosen again', CUT_FILE_BYTES, async (way) => {
      const page = await way.open({ golden });
      const stopped = midway(way.proxy);
      await choose(page, way.file);
      await press(page, 'Upload 1 file');
      await stopped;
      await page.reload();
      if (golden) {
        await page.getByText('We could not fully recover 1 file').waitFor();
        await press(page, 'Re-select');
      }
      await choose(page, way.file);
      await press(page, 'Upload 1 file');
      const urls = await completed(page);
      await assertServed(way.gateway, urls['source.txt'], way.bytes, 'source.txt');
      assertContinued(way.proxy);
      return kept(await sentAgain(way));
    }),
  );
}

cell(CLIENT, 'parallel', 'Uppy uploads in parallel parts, one of which is cut', () =>
  uploading('parallel', CUT_FILE_BYTES, async (way) => {
    const page = await way.open({ parallelUploads: 4 });
    const cut = way.proxy.resetAfter(CUT_AFTER_BYTES);
    await choose(page, way.file);
    await press(page, 'Upload 1 file');
    const urls = await completed(page);
    await before('the cut', cut, 1000);
    const sent = await sentAgain(way);
    await assertServed(way.gateway, urls['source.txt'], way.bytes, 'source.txt');
    const { headers } = await head(new URL(new URL(urls['source.txt']).pathname, way.gateway.endpoint).href);
    assert.match(headers['upload-concat'], /^final;/);
    return sent;
  }),
);

async function choose(page, ...files) {
  // The other input takes folders.
  await page.locator('input[type=file]:not([webkitdirectory])').first().setInputFiles(files);
}

async function press(page, name) {
  await page.getByRole('button', { name, exact: true }).click();
}

function statusBar(page) {
  return page.locator('.uppy-StatusBar');
}

// What was uploaded, by name: the page has noted it.
async function completed(page) {
  const end = statusBar(page).getByText(/^(Complete|Upload failed)$/);
  await end.waitFor({ timeout: ENDED_WITHIN_MS });
  assert.equal((await end.innerText()).trim(), 'Complete');
  return page.evaluate(() => uploaded);
}

async function manyFiles(directory) {
  const files = Array.from({ length: MANY }, (_, number) => ({
    name: `Datei №${number} – ${AWKWARD_NAME}`,
    bytes: new SeededBytes(`many ${number}`, 600 * KIB + number * 20 * KIB),
  }));
  for (const file of files) {
    file.path = join(directory, file.name);
    await file.bytes.writeTo(file.path);
  }
  return files;
}

function assertContinued(proxy) {
  const created = proxy.requestHeads.filter((text) => text.startsWith('POST ')).length;
  assert.equal(created, 1, 'it began again with a new upload');
  assert.ok(offsetsSent(proxy).at(-1) > 0, 'it began again from the first byte');
}

function kept(sent) {
  assert.equal(sent.twice ?? 0, 0, `the gateway did not keep ${sent.twice} bytes that it had received`);
  return sent;
}
