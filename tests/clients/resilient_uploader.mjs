// A client of the chunk headers, as a phone would have it: several chunks at a time, in any order,
// each sent again until it is there. It can be told to break off requests of its own accord.

import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';

const ATTEMPTS = 400;
const RETRY_DELAY_MS = 20;
const STEP = 64 * 1024;

/** Uploads `bytes` to a chunk endpoint under a session id of its own choice. */
export class ResilientUploader {
  #endpoint;
  #bytes;
  #options;
  #last;

  /** Bytes of bodies given to the kernel, in all requests together. */
  sentBytes = 0;

  /** Requests made, those it broke off, and those that ended without an answer of 200. */
  requests = 0;
  brokenOff = 0;
  failed = 0;

  /**
   * `options`: `sessionId`; `chunkBytes`; `parallel` (requests at once); `dice` (order and breaks);
   * `breaks` (share of requests to break off, in percent); `asks` (after a failure it asks what is
   * missing and sends only that, instead of the whole chunk again).
   */
  constructor(endpoint, bytes, options) {
    this.#endpoint = endpoint;
    this.#bytes = bytes;
    this.#options = { parallel: 1, breaks: 0, asks: false, ...options };
  }

  get totalChunks() {
    return Math.ceil(this.#bytes.length / this.#options.chunkBytes);
  }

  /** Sends every chunk of `chunks` (all, if not given); returns the answer that said it is complete. */
  async upload(chunks = [...Array(this.totalChunks).keys()]) {
    const waiting = this.#shuffled(chunks);
    const workers = Array.from({ length: this.#options.parallel }, async () => {
      for (let chunk = waiting.pop(); chunk !== undefined; chunk = waiting.pop()) {
        await this.#sendUntilThere(chunk);
      }
    });
    await Promise.all(workers);
    return this.#last;
  }

  /** What the server says of the session. */
  async status() {
    const url = new URL(`/upload-status?session_id=${this.#options.sessionId}`, this.#endpoint);
    const { status, body } = await this.#exchange('GET', url, {});
    if (status !== 200) {
      throw new Error(`the status is ${status}: ${body}`);
    }
    return JSON.parse(body);
  }

  async #sendUntilThere(chunk) {
    let from = chunk * this.#options.chunkBytes;
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const answer = await this.#send(chunk, from).catch((error) => ({ status: 0, body: error.message }));
      if (answer.status === 200) {
        const told = JSON.parse(answer.body);
        if (told.completed) {
          this.#last = told;
        }
        return;
      }
      if (answer.status >= 400 && answer.status < 500 && ![408, 409, 423].includes(answer.status)) {
        throw new Error(`chunk ${chunk} is refused with ${answer.status}: ${answer.body}`);
      }
      this.failed += 1;
      await pause(RETRY_DELAY_MS);
      if (this.#options.asks) {
        from = await this.#missingFrom(chunk).catch(() => from);
      }
    }
    throw new Error(`chunk ${chunk} did not get through in ${ATTEMPTS} attempts`);
  }

  // The first byte of the chunk that is missing; its first byte if nothing is.
  async #missingFrom(chunk) {
    const { start, end } = this.#span(chunk);
    const { missing } = await this.status();
    const hole = missing.find(({ from, to }) => to >= start && from < end);
    return hole ? Math.max(hole.from, start) : start;
  }

  #span(chunk) {
    const start = chunk * this.#options.chunkBytes;
    return { start, end: Math.min(start + this.#options.chunkBytes, this.#bytes.length) };
  }

  async #send(chunk, from) {
    const { end } = this.#span(chunk);
    this.requests += 1;
    const breaks = end - from > 1 && this.#options.dice.between(1, 100) <= this.#options.breaks;
    const until = breaks ? this.#options.dice.between(from + 1, end - 1) : end;
    const headers = {
      'X-Upload-Session-ID': this.#options.sessionId,
      'X-Chunk-Number': chunk,
      'X-Total-Chunks': this.totalChunks,
      'Content-Range': `bytes ${from}-${end - 1}/${this.#bytes.length}`,
      'Content-Length': end - from,
    };
    if (from > chunk * this.#options.chunkBytes) {
      // Where a chunk is continued, its size does not follow from where the range begins.
      headers['X-Chunk-Size'] = this.#options.chunkBytes;
    }
    return this.#exchange('PUT', this.#endpoint, headers, (request) => this.#pour(request, from, until, breaks));
  }

  async #pour(request, from, until, breaks) {
    for (let at = from; at < until && !request.destroyed; at += STEP) {
      const piece = this.#bytes.slice(at, Math.min(at + STEP, until));
      await new Promise((resolve) => {
        request.write(piece, (error) => {
          this.sentBytes += error ? 0 : piece.length;
          resolve();
        });
      });
    }
    if (breaks) {
      this.brokenOff += 1;
      request.destroy(new Error('broken off'));
    } else {
      request.end();
    }
  }

  async #exchange(method, url, headers, pour = (request) => request.end()) {
    const request = httpRequest(url, { method, headers, agent: false });
    const answered = once(request, 'response');
    // Whoever waits for the answer is told.
    request.on('error', () => {});
    const poured = Promise.resolve(pour(request)).catch(() => {});
    const [response] = await answered;
    const pieces = [];
    for await (const piece of response) {
      pieces.push(piece);
    }
    await poured;
    return { status: response.statusCode, headers: response.headers, body: Buffer.concat(pieces).toString() };
  }

  #shuffled(chunks) {
    const order = [...chunks];
    for (let at = order.length - 1; at > 0; at -= 1) {
      const other = this.#options.dice.between(0, at);
      [order[at], order[other]] = [order[other], order[at]];
    }
    return order;
  }
}
