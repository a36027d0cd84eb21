// The pages that browsers upload from, on a port of their own: every gateway is another origin to them.

import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';

const FILES = {
  '/tus.html': ['pages/tus.html', 'text/html'],
  '/tus.js': ['node_modules/tus-js-client/dist/tus.min.js', 'text/javascript'],
  '/uppy.html': ['pages/uppy.html', 'text/html'],
  '/uppy.js': ['node_modules/uppy/dist/uppy.min.js', 'text/javascript'],
  '/uppy.css': ['node_modules/uppy/dist/uppy.min.css', 'text/css'],

};

/** Serves the pages while `body` runs, which gets the URL of the site. */
export async function withSite(body) {
  const site = createServer(async (request, response) => {
    const found = FILES[new URL(request.url, 'http://site').pathname];
    if (found === undefined) {
      response.writeHead(404).end();
      return;
    }
    const [path, type] = found;
    const content = await readFile(new URL(path, import.meta.url));
    response.writeHead(200, { 'Content-Type': `${type}; charset=utf-8` }).end(content);
  });
  site.listen(0, '127.0.0.1');
  await once(site, 'listening');
  try {
    return await body(`http://127.0.0.1:${site.address().port}`);
  } finally {
    site.closeAllConnections();
    site.close();
  }
}
