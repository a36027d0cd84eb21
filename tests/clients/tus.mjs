// The tus requests that tests make themselves, each on a connection of its own.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

const VERSION = { 'Tus-Resumable': '1.0.0' };

// Certificates in PEM that servers are believed with; undefined takes those of Node.
let trusted;

/** Believes servers that have this certificate (PEM), in every request from now on. */
export function trust(certificate) {
  trusted = certificate;
}

/**
 * Opens a request on a connection of its own, and leaves its body and its answer to the caller.
 *
 * `localAddress` is where the connection comes from.
 */
export function begin(method, url, headers, localAddress) {
  const open = new URL(url).protocol === 'https:' ? httpsRequest : httpRequest;
  return open(url, { method, headers, agent: false, localAddress, ca: trusted });
}

/**
 * Makes one request and reads its answer: `{ status, headers, body }`.
 *
 * `body` may be a buffer or a stream; `consume` is called with each piece of the answer's body
 * instead of collecting it; `localAddress` is as for `begin`.
 */
export async function exchange(method, url, { headers = {}, body, consume, localAddress } = {}) {
  const request = begin(method, url, headers, localAddress);
  const response = new Promise((resolve, reject) => {
    request.once('response', resolve);
    request.once('error', reject);
  });
  if (body instanceof Readable) {
    // An early answer ends the request before its body; the answer tells what happened.
    pipeline(body, request).catch(() => {});
  } else {
    request.end(body);
  }
  const answer = await response;
  const pieces = [];
  for await (const piece of answer) {
    (consume ?? ((data) => pieces.push(data)))(piece);
  }
  return { status: answer.statusCode, headers: answer.headers, body: Buffer.concat(pieces) };
}

/** Creates an upload and returns its URL; `length` undefined means deferred. */
export async function create(endpoint, length, headers = {}) {
  const size = length === undefined ? { 'Upload-Defer-Length': 1 } : { 'Upload-Length': length };
  const answer = await exchange('POST', endpoint, { headers: { ...VERSION, 'Content-Length': 0, ...size, ...headers } });
  assert.equal(answer.status, 201, `POST: ${answer.body}`);
  return new URL(answer.headers.location, endpoint).href;
}

/** Asks where an upload stands: the whole answer, with `offset` as a number. */
export async function head(url) {
  const answer = await exchange('HEAD', url, { headers: VERSION });
  assert.equal(answer.status, 200, `HEAD ${url}`);
  return { ...answer, offset: decimal(answer.headers['upload-offset']) };
}

/** Appends `body` (`length` bytes) at `offset`. Returns the answer, whatever it is. */
export async function patch(url, offset, body, length = body.length, headers = {}) {
  return exchange('PATCH', url, {
    headers: {
      ...VERSION,
      'Content-Type': 'application/offset+octet-stream',
      'Upload-Offset': offset,
      'Content-Length': length,
      ...headers,
    },
    body,
  });
}

/** Sends the bytes `[offset, length)` in one PATCH, which must be accepted. */
export async function complete(url, bytes, offset) {
  const answer = await patch(url, offset, bytes.stream(offset), bytes.length - offset);
  assert.equal(answer.status, 204, `PATCH from ${offset}: ${answer.body}`);
  assert.equal(decimal(answer.headers['upload-offset']), bytes.length);
}

/** Removes an upload. */
export async function remove(url) {
  const answer = await exchange('DELETE', url, { headers: VERSION });
  assert.equal(answer.status, 204, `DELETE: ${answer.body}`);
}

/** Downloads, without keeping the bytes: `{ status, headers, length, sha256 }`. */
export async function download(url, headers = {}) {
  const hash = createHash('sha256');
  let length = 0;
  const answer = await exchange('GET', url, {
    headers,
    consume: (data) => {
      hash.update(data);
      length += data.length;
    },
  });
  return { status: answer.status, headers: answer.headers, length, sha256: hash.digest('hex') };
}

/** Asserts that what `url` serves is exactly these bytes. */
export async function assertDownload(url, bytes) {
  const { status, length, sha256 } = await download(url);
  assert.deepEqual({ status, length, sha256 }, { status: 200, length: bytes.length, sha256: bytes.sha256() });
}

/** A decimal header field as a number; anything else is `NaN`. */
export function decimal(field) {
  return /^[0-9]+$/.test(field ?? '') ? Number(field) : NaN;
}
