// The client matrix: what is tried with which client, and where the outcome is written for the table.

import assert from 'node:assert/strict';
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { CuttingProxy } from './cutting_proxy.mjs';
import { until } from './deadline.mjs';
import { freePort, server, withGateway } from './gateway.mjs';
import { CASES, MATRIX_CLIENTS } from './matrix_axes.mjs';
import { withScratch } from './scratch.mjs';
import { SeededBytes } from './seeded_bytes.mjs';
import { MIB, timeout } from './sizes.mjs';
import { download } from './tus.mjs';

/** Bytes of a file that is cut: far more than the buffers of two sockets hold. */
export const CUT_FILE_BYTES = 24 * MIB + 5;

/** Where it is cut: within a request, whatever a client's chunk size is. */
export const CUT_AFTER_BYTES = 9 * MIB + 777;

/** A name with what gets lost when somebody thinks of ASCII. */
export const AWKWARD_NAME = 'Übergrößen ☂ – "naïve".txt';

/**
 * A test that is one field of the table.
 *
 * `body` may return what `sentAgain` measured.
 */
export function cell(client, which, sentence, body) {
  assert.ok(MATRIX_CLIENTS.includes(client) && CASES.includes(which), `${client}, ${which}: no field of the table`);
  test(sentence, { timeout }, async (t) => {
    const began = performance.now();
    let outcome = { ok: false };
    try {
      const { again, twice } = (await body(t)) ?? {};
      outcome = { ok: true, again };
      if (again !== undefined) {
        t.diagnostic(`${again} bytes were sent again, of which ${twice ?? "unknown"} had been received`);
      }
    } finally {
      const seconds = (performance.now() - began) / 1000;
      if (process.env.MATRIX) {
        await appendFile(process.env.MATRIX, `${JSON.stringify({ client, case: which, seconds, ...outcome })}\n`);
      }
    }
  });
}

/**
 * A gateway, a proxy in front of it and a file of `length` bytes; removed after `body`.
 *
 * `absolute`: the gateway knows its public URL, which is the proxy's, and answers with whole URLs.
 */
export async function onTheWay({ seed, length, absolute = false }, body) {
  const bytes = new SeededBytes(seed, length);
  const port = await freePort();
  const options = absolute ? { settings: { TIDEGATE__SERVER__PUBLIC_URL: `http://127.0.0.1:${port}` } } : {};
  return withScratch('matrix', (directory) =>
    withGateway(options, async (gateway) => {
      const proxy = await CuttingProxy.start(gateway.port, port);
      const file = join(directory, 'source.txt');
      await bytes.writeTo(file);
      try {
        return await body({ gateway, proxy, endpoint: proxy.through(gateway.endpoint), file, bytes, directory });
      } finally {
        await proxy.close();
      }
    }),
  );
}

/** Asserts that `url` serves these bytes under this name. It is asked without the proxy. */
export async function assertServed(gateway, url, bytes, name) {
  const here = new URL(new URL(url).pathname, gateway.endpoint).href;
  const { status, headers, length, sha256 } = await download(here);
  assert.deepEqual({ status, length, sha256 }, { status: 200, length: bytes.length, sha256: bytes.sha256() });
  const [, encoded] = /filename\*=UTF-8''([^;]+)/.exec(headers['content-disposition']) ?? [];
  const plain = /filename="([^"]*)"/.exec(headers['content-disposition'])?.[1];
  assert.equal(encoded === undefined ? plain : decodeURIComponent(encoded), name);
}

/**
 * What was sent more often than once: `{ again, twice }`, in bytes beyond `length` bytes of content.
 *
 * `again` is what went into the path to the gateway, so it has what a reset destroyed on the way there;
 * `twice` is what the gateway itself received, so it has what the gateway did not keep. It is missing
 * if the client had asked while bytes were still arriving, and so was refused once (409).
 */
export async function sentAgain({ gateway, proxy, bytes: { length } }) {
  const content = length + proxy.requestHeads.reduce((sum, head) => sum + Buffer.byteLength(head, 'latin1'), 0);
  const again = proxy.forwarded - content;
  if (!server.isTidegate) {
    return { again };
  }
  const requests = await until('a log line for each request', () => {
    const lines = gateway.log.split('\n').filter((line) => /method="(HEAD|OPTIONS|PATCH|POST)".*: answered /.test(line));
    return lines.length >= proxy.requestHeads.length && lines;
  });
  const received = requests.reduce((sum, line) => sum + Number(/ received_bytes=([0-9]+)/.exec(line)[1]), 0);
  const refused = requests.some((line) => line.includes(' status=409 '));
  return { again, twice: refused ? undefined : received - content };
}

/** The offsets at which clients began to send, in order. */
export function offsetsSent(proxy) {
  return proxy.requestHeads
    .filter((head) => head.startsWith('PATCH '))
    .map((head) => Number(/\r\nupload-offset: ([0-9]+)\r\n/i.exec(head)[1]));
}
