// A TCP proxy on loopback that breaks connections where a test wants them broken.

import { once } from 'node:events';
import { connect, createServer } from 'node:net';

const REQUEST_HEAD = /^[A-Z]+ \S+ HTTP\/1\.1\r\n[^]*?\r\n\r\n/;

/** Forwards to one port; counts what clients send; cuts where it was told to. */
export class CuttingProxy {
  #listener;
  #targetPort;
  #links = new Set();
  #cuts = [];
  #sinceLastCut = 0;

  /** Bytes forwarded from clients to the server, request heads included. */
  forwarded = 0;

  /** Heads of the requests seen, as text. A head is seen if it begins a TCP segment, as clients do. */
  requestHeads = [];

  /** `port`: where to listen; 0 takes a free one. */
  static async start(targetPort, port = 0) {
    const proxy = new CuttingProxy();
    proxy.#targetPort = targetPort;
    proxy.#listener = createServer({ allowHalfOpen: true }, (client) => proxy.#link(client));
    proxy.#listener.listen(port, '127.0.0.1');
    await once(proxy.#listener, 'listening');
    proxy.port = proxy.#listener.address().port;
    return proxy;
  }

  /** The same URL, but by way of this proxy. */
  through(url) {
    const other = new URL(url);
    other.port = this.port;
    return other.href;
  }

  /** After `bytes` more from clients, resets the connection (RST) towards both ends. */
  resetAfter(bytes) {
    return this.callAfter(bytes, (link) => link.reset());
  }

  /** After `bytes` more from clients, forwards nothing any more on that connection; it stays open. */
  silenceAfter(bytes) {
    return this.callAfter(bytes, (link) => link.silence());
  }

  /** After `bytes` more from clients, passes nothing on of that connection any more, but its end. */
  stopAfter(bytes) {
    return this.callAfter(bytes, (link) => link.stop());
  }

  /**
   * After exactly `bytes` more from clients, calls `action`, before anything further is forwarded.
   *
   * Several calls queue up; each counts from where the one before it acted.
   */
  callAfter(bytes, action) {
    return new Promise((resolve) => {
      this.#cuts.push({ bytes, action, resolve });
    });
  }

  async close() {
    this.#listener.close();
    for (const link of this.#links) {
      link.reset();
    }
    await once(this.#listener, 'close');
  }

  #link(client) {
    const link = new Link(client, connect({ port: this.#targetPort, host: '127.0.0.1', allowHalfOpen: true }));
    this.#links.add(link);
    link.ended.then(() => this.#links.delete(link));
    client.on('data', (data) => {
      const head = REQUEST_HEAD.exec(data.subarray(0, 16 * 1024).toString('latin1'));
      if (head) {
        this.requestHeads.push(head[0]);
      }
      this.#forward(link, data);
    });
  }

  #forward(link, data) {
    const cut = this.#cuts[0];
    if (link.silent || link.stopped) {
      return;
    }
    if (cut === undefined || this.#sinceLastCut + data.length < cut.bytes) {
      this.#count(data.length);
      link.toServer(data);
      return;
    }
    const last = data.subarray(0, cut.bytes - this.#sinceLastCut);
    const rest = data.subarray(last.length);
    this.#count(last.length);
    this.#cuts.shift();
    this.#sinceLastCut = 0;
    link.hold();
    link.toServer(last, () => {
      cut.action(link);
      cut.resolve();
      link.release();
      if (rest.length > 0 && !link.broken) {
        this.#forward(link, rest);
      }
    });
  }

  #count(bytes) {
    this.forwarded += bytes;
    this.#sinceLastCut += bytes;
  }
}

// One client's connection and its counterpart to the server.
class Link {
  #client;
  #server;
  silent = false;
  stopped = false;
  broken = false;

  constructor(client, server) {
    this.#client = client;
    this.#server = server;
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      // A side that fails takes the other with it, as a broken path would.
      socket.on('error', () => this.reset());
    }
    server.on('data', (data) => {
      if (!this.silent && !client.write(data)) {
        server.pause();
        client.once('drain', () => server.resume());
      }
    });
    client.on('end', () => this.silent || server.end());
    server.on('end', () => this.silent || client.end());
    this.ended = Promise.all([once(client, 'close'), once(server, 'close')]).catch(() => {});
  }

  toServer(data, written) {
    if (!this.#server.write(data, written)) {
      this.#client.pause();
      this.#server.once('drain', () => this.#client.resume());
    }
  }

  hold() {
    this.#client.pause();
  }

  release() {
    this.#client.resume();
  }

  silence() {
    this.silent = true;
  }

  stop() {
    this.stopped = true;
  }

  reset() {
    if (this.broken) {
      return;
    }
    this.broken = true;
    for (const socket of [this.#client, this.#server]) {
      // A socket whose end has been sent can't be reset; Node 18 would never finish closing it.
      if (socket.writableEnded) {
        socket.destroy();
      } else {
        socket.resetAndDestroy();
      }
    }
  }
}
