// nginx with `dav_methods PUT` and nothing else: one worker, its own directory, no root needed.

import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { join } from 'node:path';
import { freePort } from '../tests/clients/gateway.mjs';
import { exchange } from '../tests/clients/tus.mjs';
import { launch, removeScratch, scratchDirectory } from '../tests/clients/scratch.mjs';
import { until } from '../tests/clients/deadline.mjs';

/** A running nginx: `url` takes PUT, `pid` is its master process. */
export async function startNginx() {
  const directory = await scratchDirectory('nginx');
  const port = await freePort();
  await mkdir(join(directory, 'files'));
  await mkdir(join(directory, 'body'));
  const file = join(directory, 'nginx.conf');
  await writeFile(file, configuration(directory, port));
  const child = launch('nginx', ['-p', directory, '-c', file, '-e', 'stderr'], {
    stdio: ['ignore', 'ignore', 'inherit'],
    // The master takes its worker along only if it may end by itself.
    lastSignal: 'SIGTERM',
  });
  const url = `http://127.0.0.1:${port}/`;
  await until('the start of nginx', async () => {
    assert.equal(child.exitCode, null, 'nginx ended');
    return exchange('GET', url).catch(() => undefined);
  });
  return {
    url,
    pid: child.pid,
    files: join(directory, 'files'),
    async stop() {
      child.kill('SIGTERM');
      await once(child, 'exit');
      await removeScratch(directory);
    },
  };
}

// The body is received into `body` and renamed into `files`: one file system, no copy.
function configuration(directory, port) {
  const temporary = ['proxy', 'fastcgi', 'uwsgi', 'scgi'].map((each) => `  ${each}_temp_path ${directory}/${each};`);
  return `
daemon off;
worker_processes 1;
user ${process.getuid() === 0 ? 'root' : 'nobody'};
pid ${directory}/nginx.pid;
error_log stderr crit;
events { worker_connections 64; }
http {
  access_log off;
  client_body_temp_path ${directory}/body;
${temporary.join('\n')}
  client_max_body_size 0;
  server {
    listen 127.0.0.1:${port};
    root ${directory}/files;
    location / {
      dav_methods PUT;
      create_full_put_path on;
    }
  }
}
`;
}
