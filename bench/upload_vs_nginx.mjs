// See `upload-vs-nginx`.

import assert from 'node:assert/strict';
import { stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Gateway, server } from '../tests/clients/gateway.mjs';
import { cpuSecondsOf } from '../tests/clients/kernel.mjs';
import { run, withScratch } from '../tests/clients/scratch.mjs';
import { SeededBytes } from '../tests/clients/seeded_bytes.mjs';
import { GIB, MIB, sizeFrom } from '../tests/clients/sizes.mjs';
import { create, head, remove } from '../tests/clients/tus.mjs';
import { median, provenance } from './machine.mjs';
import { startNginx } from './nginx.mjs';

const runs = Number(process.argv[2] ?? 7);
const size = sizeFrom('SIZE', GIB);
assert.ok(runs % 2 === 1, 'the number of runs must be odd, for the median');

await withScratch('source', async (directory) => {
  const file = join(directory, 'source');
  await new SeededBytes('upload-vs-nginx', size).writeTo(file);
  const contenders = await start(file);
  try {
    // One round that does not count: caches, first allocations, the file in memory.
    for (let round = 0; round <= runs; round += 1) {
      for (const contender of contenders) {
        const sample = await measure(contender);
        if (round > 0) {
          contender.samples.push(sample);
        }
        console.error(`round ${round}: ${contender.name}: ${sample.wall.toFixed(3)} s, CPU ${sample.cpu.toFixed(2)} s`);
      }
    }
    print(contenders, await provenance(directory, ['nginx', '-v'], ['curl', '--version']));
  } finally {
    await Promise.all(contenders.map(({ stop }) => stop()));
  }
});

async function start(file) {
  const nginx = await startNginx();
  const durabilities = server.isTidegate ? ['os', 'fsync'] : ['as it is'];
  const gateways = [];
  for (const durability of durabilities) {
    const gateway = await Gateway.start(server.isTidegate ? { durability } : {});
    gateways.push({
      name: `PATCH, durability ${durability}`,
      pid: gateway.pid,
      samples: [],
      prepare: () => create(gateway.endpoint, size),
      upload: (url) => send(file, url, 204, ['-X', 'PATCH', ...headers(0)]),
      async check(url) {
        assert.equal((await head(url)).offset, size);
        await remove(url);
      },
      stop: () => gateway.stop(),
    });
  }
  const put = {
    name: 'nginx PUT',
    pid: nginx.pid,
    samples: [],
    prepare: async () => `${nginx.url}file`,
    upload: (url) => send(file, url, 201, []),
    async check() {
      assert.equal((await stat(join(nginx.files, 'file'))).size, size);
      await unlink(join(nginx.files, 'file'));
    },
    stop: () => nginx.stop(),
  };
  return [gateways[0], put, ...gateways.slice(1)];
}

function headers(offset) {
  return ['Tus-Resumable: 1.0.0', 'Content-Type: application/offset+octet-stream', `Upload-Offset: ${offset}`].flatMap((line) => ['-H', line]);
}

// What earlier runs left dirty is written before the clock starts, so that nobody pays for another.
async function measure({ pid, prepare, upload, check }) {
  const url = await prepare();
  await run('sync', []);
  const before = cpuSecondsOf(pid);
  const wall = await upload(url);
  const cpu = cpuSecondsOf(pid) - before;
  await check(url);
  return { wall, cpu };
}

async function send(file, url, expected, options) {
  const { code, stdout, stderr } = await run('curl', [
    ...['-sS', '-o', '/dev/null', '-w', '%{http_code} %{time_total}'],
    ...['-T', file, ...options, url],
  ]);
  assert.equal(code, 0, stderr);
  const [status, seconds] = stdout.split(' ').map(Number);
  assert.equal(status, expected);
  return seconds;
}

function print(contenders, where) {
  const nginx = contenders.find(({ name }) => name === 'nginx PUT');
  const row = ({ name, samples }) => {
    const [wall, cpu] = ['wall', 'cpu'].map((each) => median(samples.map((sample) => sample[each])));
    const [wallOfNginx, cpuOfNginx] = ['wall', 'cpu'].map((each) => median(nginx.samples.map((sample) => sample[each])));
    const range = samples.map((sample) => sample.cpu).sort((a, b) => a - b);
    return `| ${name} | ${wall.toFixed(2)} | ${(wall / wallOfNginx).toFixed(2)} | ${cpu.toFixed(2)} | ${(cpu / cpuOfNginx).toFixed(2)} | ${range[0].toFixed(2)}–${range.at(-1).toFixed(2)} |`;
  };
  console.log(`One upload of ${(size / MIB).toFixed(0)} MiB by curl, interleaved, medians of ${runs} runs.\n`);
  console.log('| server | wall s | × nginx | server CPU s | × nginx | CPU range |');
  console.log('|---|---|---|---|---|---|');
  contenders.map(row).forEach((line) => console.log(line));
  console.log(`\n${where}`);
}
