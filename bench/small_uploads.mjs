// See `small-uploads`.

import { Gateway, server } from '../tests/clients/gateway.mjs';
import { cpuSecondsOf, memoryOf } from '../tests/clients/kernel.mjs';
import { MIB } from '../tests/clients/sizes.mjs';
import { smallUploads } from '../tests/clients/small_upload_load.mjs';
import { provenance } from './machine.mjs';

const CONNECTIONS = 16;
const BYTES = 4096;
const WARM_UP_SECONDS = 1;

const seconds = Number(process.argv[2] ?? 10);
const durabilities = server.isTidegate ? ['fsync', 'os'] : ['as it is'];
const rows = [];
let where;
for (const durability of durabilities) {
  const gateway = await Gateway.start(server.isTidegate ? { durability } : {});
  try {
    const load = { port: gateway.port, path: new URL(gateway.endpoint).pathname, connections: CONNECTIONS, bytes: BYTES };
    await smallUploads({ ...load, seconds: WARM_UP_SECONDS });
    const before = cpuSecondsOf(gateway.pid);
    const { requests, perSecond, p50, p99, slowest, generatorCpu } = await smallUploads({ ...load, seconds });
    const cpu = cpuSecondsOf(gateway.pid) - before;
    const { resident, peak } = memoryOf(gateway.pid);
    where ??= await provenance(gateway.dataDirectory, [process.execPath, '--version']);
    rows.push(
      [
        durability,
        perSecond.toFixed(0),
        ...[p50, p99, slowest].map((time) => time.toFixed(2)),
        ((cpu / requests) * 1e6).toFixed(0),
        (cpu / seconds).toFixed(2),
        generatorCpu.toFixed(2),
        (resident / MIB).toFixed(0),
        (peak / MIB).toFixed(0),
      ].join(' | '),
    );
  } finally {
    await gateway.stop();
  }
}
console.log(`Uploads of ${BYTES} bytes, each one POST, ${CONNECTIONS} connections, ${seconds} s.\n`);
console.log('| durability | uploads/s | p50 ms | p99 ms | slowest ms | CPU µs each | server cores | generator cores | RSS MiB | peak MiB |');
console.log('|---|---|---|---|---|---|---|---|---|---|');
rows.forEach((row) => console.log(`| ${row} |`));
console.log(`\nThe generator is one thread: close to 1.00 core it, not the server, was the limit.\n\n${where}`);
