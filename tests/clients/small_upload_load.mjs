// Load from small uploads: one POST with everything in it, again and again, on keep-alive connections.

import { once } from 'node:events';
import { connect } from 'node:net';
import { requestHead } from './wire.mjs';

const END_OF_HEAD = Buffer.from('\r\n\r\n');

/**
 * Creates uploads of `bytes` bytes over `connections` connections for `seconds`.
 *
 * Resolves to `{ requests, perSecond, p50, p99, slowest, generatorCpu }`: times in milliseconds, and the
 * CPU that this process used as a share of one core (near 1, it measured itself and not the server).
 *
 * # Errors
 * On the first answer that is not 201 and on the first broken connection.
 */
export async function smallUploads({ port, path, connections = 16, bytes = 4096, seconds = 10 }) {
  const head = requestHead('POST', path, {
    'Tus-Resumable': '1.0.0',
    'Upload-Length': bytes,
    'Content-Type': 'application/offset+octet-stream',
    'Content-Length': bytes,
  });
  const request = Buffer.concat([Buffer.from(head), Buffer.alloc(bytes, 'tidegate')]);
  const cpuBefore = process.cpuUsage();
  const began = performance.now();
  const end = began + seconds * 1000;
  const times = (await Promise.all(Array.from({ length: connections }, () => keepPosting(port, request, end)))).flat();
  const elapsed = (performance.now() - began) / 1000;
  const cpu = process.cpuUsage(cpuBefore);
  times.sort((a, b) => a - b);
  return {
    requests: times.length,
    perSecond: times.length / elapsed,
    p50: times[Math.floor(times.length * 0.5)],
    p99: times[Math.floor(times.length * 0.99)],
    slowest: times.at(-1),
    generatorCpu: (cpu.user + cpu.system) / 1e6 / elapsed,
  };
}

// One connection, one request at a time. Answers carry no body worth parsing, only its length.
async function keepPosting(port, request, end) {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  return new Promise((resolve, reject) => {
    const times = [];
    let received = Buffer.alloc(0);
    let asked;
    const ask = () => {
      asked = performance.now();
      socket.write(request);
    };
    socket.on('data', (data) => {
      received = received.length === 0 ? data : Buffer.concat([received, data]);
      const size = answerSize(received);
      if (size === undefined) {
        return;
      }
      if (received.toString('latin1', 9, 12) !== '201') {
        socket.destroy(new Error(`the answer was ${received.toString('latin1')}`));
        return;
      }
      received = received.subarray(size);
      times.push(performance.now() - asked);
      if (performance.now() < end) {
        ask();
      } else {
        resolve(times);
        socket.destroy();
      }
    });
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('the server closed a connection under load')));
    ask();
  });
}

function answerSize(received) {
  const end = received.indexOf(END_OF_HEAD);
  if (end < 0) {
    return undefined;
  }
  const length = /\r\ncontent-length: *([0-9]+)/i.exec(received.toString('latin1', 0, end));
  const size = end + END_OF_HEAD.length + (length ? Number(length[1]) : 0);
  return received.length < size ? undefined : size;
}
