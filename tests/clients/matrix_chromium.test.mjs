// tus-js-client in Chromium, on a page of another origin than the gateway.

import assert from 'node:assert/strict';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { before, until } from './deadline.mjs';
import { assertServed, AWKWARD_NAME, cell, CUT_AFTER_BYTES, CUT_FILE_BYTES, offsetsSent, sentAgain } from './matrix.mjs';
import { crash, inChromium, midway, slowLine } from './matrix_browser.mjs';
import { MIB } from './sizes.mjs';
import { exchange, head } from './tus.mjs';

const CLIENT = 'in Chromium';
const ENDED_WITHIN_MS = 60_000;

const uploading = (seed, length, body) => inChromium({ page: 'tus.html', seed: `chromium ${seed}`, length }, body);

cell(CLIENT, 'upload', 'tus-js-client in Chromium uploads', () =>
  uploading('upload', CUT_FILE_BYTES, async ({ gateway, bytes, file, open }) => {
    const page = await open();
    await choose(page, file);
    await assertServed(gateway, await completed(page), bytes, 'source.txt');
  }),
);

cell(CLIENT, 'name', 'a file chosen in Chromium is served under its name, which is not ASCII', () =>
  uploading('name', 1000, async ({ gateway, bytes, file, directory, open }) => {
    const awkward = join(directory, AWKWARD_NAME);
    await rename(file, awkward);
    const page = await open();
    await choose(page, awkward);
    await assertServed(gateway, await completed(page), bytes, AWKWARD_NAME);
  }),
);

// Chromium repeats the request by itself, from its old offset, and reads the refusal only when it has sent the
// whole body. On a slow line that must not take as long as the body.
cell(CLIENT, 'cut', 'tus-js-client in Chromium goes on after a reset in the middle of a body, soon also on a slow line', () =>
  uploading('cut', CUT_FILE_BYTES, async (way) => {
    const page = await way.open();
    const line = await slowLine(page);
    const cut = way.proxy.resetAfter(CUT_AFTER_BYTES);
    await choose(page, way.file);
    await before('the cut', cut, ENDED_WITHIN_MS);
    const resumed = () => offsetsSent(way.proxy).some((offset) => offset > 0);
    await until('its going on', resumed, { within: ENDED_WITHIN_MS });
    await line.undo();
    await assertServed(way.gateway, await completed(page), way.bytes, 'source.txt');
    const sent = await sentAgain(way);
    assert.ok(sent.again < CUT_FILE_BYTES / 2, `${sent.again} bytes were sent in vain`);
    return kept(sent);
  }),
);

for (const [which, how, leave] of [
  ['killed', 'in a new tab after the first one crashed', crash],
  ['chosen again', 'after the page was closed', (page) => page.close()],
]) {
  cell(CLIENT, which, `an upload goes on ${how}, when the same file is chosen again`, () =>
    uploading(which, CUT_FILE_BYTES, async (way) => {
      const page = await way.open();
      const stopped = midway(way.proxy);
      await choose(page, way.file);
      await stopped;
      await leave(page);
      const another = await way.open();
      await choose(another, way.file);
      await assertServed(way.gateway, await completed(another), way.bytes, 'source.txt');
      assert.equal((await remembered(another)).length, 1, 'it remembered one upload');
      assert.ok(offsetsSent(way.proxy).at(-1) > 0, 'it began again');
      return kept(await sentAgain(way));
    }),
  );
}

cell(CLIENT, 'parallel', 'tus-js-client in Chromium uploads in parallel parts, one of which is cut', () =>
  uploading('parallel', CUT_FILE_BYTES, async (way) => {
    const page = await way.open({ parallelUploads: 4 });
    const cut = way.proxy.resetAfter(CUT_AFTER_BYTES);
    await choose(page, way.file);
    const url = await completed(page);
    await before('the cut', cut, 1000);
    const sent = await sentAgain(way);
    await assertServed(way.gateway, url, way.bytes, 'source.txt');
    const { headers } = await head(new URL(new URL(url).pathname, way.gateway.endpoint).href);
    assert.match(headers['upload-concat'], /^final;/);
    return sent;
  }),
);

cell(CLIENT, 'finished', 'a finished file that is chosen again is sent again only if it was to be forgotten, or is gone', () =>
  uploading('finished', MIB, async ({ gateway, proxy, file, open }) => {
    const again = async (options) => {
      const page = await open(options);
      const before = offsetsSent(proxy).length;
      await choose(page, file);
      const url = await completed(page);
      return { url, known: (await remembered(page)).length, bodies: offsetsSent(proxy).length - before };
    };
    const first = await again({});
    assert.deepEqual([first.known, first.bodies], [0, 1]);
    const second = await again({});
    assert.deepEqual(second, { url: first.url, known: 1, bodies: 0 }, 'a question was enough');

    const here = new URL(new URL(first.url).pathname, gateway.endpoint).href;
    assert.equal((await exchange('DELETE', here, { headers: { 'Tus-Resumable': '1.0.0' } })).status, 204);
    const third = await again({ removeFingerprintOnSuccess: true });
    assert.deepEqual([third.known, third.bodies], [1, 1], 'what was gone is sent again');
    assert.notEqual(third.url, first.url);
    const fourth = await again({});
    assert.deepEqual([fourth.known, fourth.bodies], [0, 1], 'it had been forgotten');
  }),
);

async function choose(page, file) {
  await page.getByLabel('file').setInputFiles(file);
}

async function completed(page) {
  await page.waitForFunction(() => /^(complete|failed)/.test(document.title), undefined, { timeout: ENDED_WITHIN_MS });
  assert.equal(await page.title(), 'complete');
  // `upload` is the page's.
  return page.evaluate(() => upload.url);
}

function remembered(page) {
  return page.evaluate(() => window.previousUploads);
}

function kept(sent) {
  assert.equal(sent.twice ?? 0, 0, `the gateway did not keep ${sent.twice} bytes that it had received`);
  return sent;
}
