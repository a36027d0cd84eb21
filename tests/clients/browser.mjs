// A headless Chromium with a page on an origin of its own.

import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const EXECUTABLE = process.env.CHROMIUM ?? '/usr/bin/chromium';
const ARGUMENTS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const BUNDLE = join(createRequire(import.meta.url).resolve('tus-js-client/package.json'), '../dist/tus.min.js');

/**
 * Opens a page that has tus-js-client (as `tus`) and, at `/bytes`, the given bytes.
 *
 * The page is served from a port of its own, so every other server is another origin to it.
 */
export async function withPage(bytes, body) {
  const site = await serve(bytes);
  try {
    const browser = await launchBrowser();
    try {
      await body(await openPage(browser, site.address().port));
    } finally {
      await browser.close();
    }
  } finally {
    site.closeAllConnections();
    site.close();
  }
}

/** Starts a Chromium with a fresh profile. */
export function launchBrowser() {
  // Playwright removes the profile; when this process is told to end, it kills the browser at once
  // instead of going on in the middle of a test.
  return chromium.launch({
    executablePath: EXECUTABLE,
    args: ARGUMENTS,
    handleSIGINT: false,
    handleSIGTERM: false,
    handleSIGHUP: false,
  });
}

async function openPage(browser, port) {
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${port}/`);
  return page;
}

async function serve(bytes) {
  const script = await readFile(BUNDLE);
  const site = createServer((request, response) => {
    if (request.url === '/tus.js') {
      response.setHeader('Content-Type', 'text/javascript');
      response.end(script);
    } else if (request.url === '/bytes') {
      response.setHeader('Content-Type', 'application/octet-stream');
      bytes.stream().pipe(response);
    } else {
      response.setHeader('Content-Type', 'text/html');
      response.end('<!doctype html><meta charset="utf-8"><title>another origin</title><script src="/tus.js"></script>');
    }
  });
  site.listen(0, '127.0.0.1');
  await once(site, 'listening');
  return site;
}
