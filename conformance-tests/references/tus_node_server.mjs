// @tus/server over a directory, on a free port of loopback: node tus_node_server.mjs DIRECTORY
import { createServer } from 'node:http';

import { FileStore } from '@tus/file-store';
import { Server } from '@tus/server';

const [directory] = process.argv.slice(2);
// It lists `expiration` in any case, so it gets an expiry.
const datastore = new FileStore({ directory, expirationPeriodInMilliseconds: 3_600_000 });
const tus = new Server({ path: '/files', datastore });
const server = createServer((request, response) => tus.handle(request, response));

// Some refusals throw in a stream that nobody listens to, which ends the process. It goes on here,
// so that the next cases are judged by what they do; the log keeps count.
process.on('uncaughtException', (error) => console.error(`uncaught: ${error.stack}`));

server.listen(0, '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}/files`);
});
