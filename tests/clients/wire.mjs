// One HTTP/1.1 connection by hand: for what a well-behaved client library would never do.

import { once } from 'node:events';
import { connect } from 'node:net';
import { before } from './deadline.mjs';

const ANSWERED_WITHIN_MS = 30_000;

/** A request head as text. `headers` are written as given, one line each. */
export function requestHead(method, path, headers = {}) {
  const lines = Object.entries({ Host: '127.0.0.1', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`;
}

/** The head of a tus PATCH whose body has `length` bytes. */
export function patchHead(path, offset, length) {
  return requestHead('PATCH', path, {
    'Tus-Resumable': '1.0.0',
    'Content-Type': 'application/offset+octet-stream',
    'Upload-Offset': offset,
    'Content-Length': length,
  });
}

/** A connection whose every byte the test decides. */
export class WireConnection {
  #socket;
  #received = Buffer.alloc(0);
  #waiting = [];
  #failure;

  /** Bytes given to the kernel, at least. A write that is under way is not counted yet. */
  bytesInKernel = 0;

  /** Bytes given to the kernel, at most. A write that is under way is counted already. */
  bytesHanded = 0;

  static async open(port) {
    const connection = new WireConnection();
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    connection.#socket = socket;
    connection.localPort = socket.localPort;
    socket.on('data', (data) => {
      connection.#received = Buffer.concat([connection.#received, data]);
      connection.#deliver();
    });
    // What has been received is delivered first: an early answer may be followed by a reset.
    socket.on('error', (error) => (connection.#failure ??= error));
    socket.on('close', () => connection.#end());
    return connection;
  }

  /** Writes, and resolves once the kernel has taken all of it. */
  write(data) {
    const bytes = typeof data === 'string' ? Buffer.from(data) : data;
    this.bytesHanded += bytes.length;
    return new Promise((resolve, reject) => {
      this.#socket.write(bytes, (error) => {
        if (error) {
          reject(error);
        } else {
          this.bytesInKernel += bytes.length;
          resolve();
        }
      });
    });
  }

  /**
   * The next answer: `{ status, headers, body }`, header names in lower case; 1xx answers are skipped.
   *
   * # Errors
   * If the connection ends before an answer has arrived.
   */
  async answer() {
    const answer = new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
    this.#deliver();
    return before('an answer', answer, ANSWERED_WITHIN_MS);
  }

  /** Ends the connection without any manners. */
  reset() {
    this.#socket.resetAndDestroy();
  }

  close() {
    this.#socket.destroy();
  }

  #deliver() {
    while (this.#waiting.length > 0) {
      const found = parse(this.#received);
      if (found === undefined) {
        if (this.#socket.destroyed) {
          this.#end();
        }
        return;
      }
      this.#received = this.#received.subarray(found.size);
      if (found.answer.status >= 200) {
        this.#waiting.shift().resolve(found.answer);
      }
    }
  }

  #end() {
    const reason = this.#failure ?? new Error('the connection was closed');
    for (const { reject } of this.#waiting.splice(0)) {
      reject(new Error(`no answer: ${reason.message}`));
    }
  }
}

// Only for requests other than HEAD: an answer has the body that its Content-Length announces.
function parse(received) {
  const end = received.indexOf('\r\n\r\n');
  if (end < 0) {
    return undefined;
  }
  const [statusLine, ...lines] = received.subarray(0, end).toString('latin1').split('\r\n');
  const status = Number(/^HTTP\/1\.[01] ([0-9]{3})/.exec(statusLine)[1]);
  const headers = Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  const length = status < 200 || status === 204 ? 0 : Number(headers['content-length'] ?? 0);
  const size = end + 4 + length;
  if (received.length < size) {
    return undefined;
  }
  return { size, answer: { status, headers, body: received.subarray(end + 4, size) } };
}
