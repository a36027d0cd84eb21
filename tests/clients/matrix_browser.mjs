// What the tests in Chromium share: a page of the site, the way to a gateway, a slow line, a dying tab.

import { once } from 'node:events';
import { after } from 'node:test';
import { launchBrowser } from './browser.mjs';
import { before } from './deadline.mjs';
import { onTheWay } from './matrix.mjs';
import { withSite } from './site.mjs';
import { MIB } from './sizes.mjs';

const SLOW_BYTES_PER_SECOND = 4 * MIB;

/**
 * As `onTheWay`, with a Chromium and `open(options)`, which opens the page with these options of the
 * client besides the endpoint. All pages of one test share what browsers keep.
 */
export function inChromium({ page: path, ...way }, body) {
  return onTheWay(way, (there) =>
    withSite((site) =>
      withContext(async (context) => {
        const open = async (options = {}) => {
          const query = JSON.stringify({ endpoint: there.endpoint, retryDelays: [100, 200, 400, 800], ...options });
          const page = await context.newPage();
          await page.goto(`${site}/${path}?options=${encodeURIComponent(query)}`);
          return page;
        };
        return body({ ...there, open });
      }),
    ),
  );
}

// One browser serves all tests of a file; each has a context with cookies, storage and cache of its own.
let browser;
after(() => browser?.close());

async function withContext(body) {
  browser ??= await launchBrowser();
  const context = await browser.newContext();
  try {
    return await body(context);
  } finally {
    await context.close();
  }
}

/** Makes the page's line slow, so that a test can act in the middle; `undo()` makes it fast again. */
export async function slowLine(page) {
  const session = await page.context().newCDPSession(page);
  await session.send('Network.enable');
  const set = (uploadThroughput) =>
    session.send('Network.emulateNetworkConditions', { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput });
  await set(SLOW_BYTES_PER_SECOND);
  return { undo: () => set(-1) };
}

/**
 * From now on the upload stops once some of it has passed, so that a test can act in its middle however busy the
 * machine is: what is sent behind that goes nowhere. Resolves when it has stopped.
 */
export function midway(proxy) {
  return before('the middle of the upload', proxy.stopAfter(3 * MIB), 30_000);
}

/** Ends the process that the page runs in, as running out of memory would. */
export async function crash(page) {
  const crashed = once(page, 'crash');
  // It never arrives there.
  page.goto('chrome://crash').catch(() => {});
  await crashed;
  await page.close();
}
