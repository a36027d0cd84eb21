// What a measurement has to say about where it was made.

import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { binary } from '../tests/clients/gateway.mjs';
import { run } from '../tests/clients/scratch.mjs';
import { GIB } from '../tests/clients/sizes.mjs';

/** One line about the machine and the versions of the named commands, e.g. `['curl', '--version']`. */
export async function provenance(directory, ...commands) {
  const system = /^PRETTY_NAME="(.*)"$/m.exec(readFileSync('/etc/os-release', 'utf8'))[1];
  const [fileSystem] = (await run('stat', ['-f', '-c', '%T', directory])).stdout.split('\n');
  const versions = [];
  for (const command of [[binary, '--version'], ...commands]) {
    versions.push(await version(...command));
  }
  const machine = `${cpus().length} × ${cpus()[0].model.trim()}, ${(totalmem() / GIB).toFixed(0)} GiB`;
  return [machine, system, `Linux ${release()}`, fileSystem, ...versions].join('; ');
}

/** The middle one of an odd number of values. */
export function median(values) {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}

// nginx and tusd each have their own idea of where and how to say it.
async function version(command, option) {
  const name = command.split('/').at(-1);
  const { code, stdout, stderr } = await run(command, [option]);
  const found = /v?\d+\.\d+(\.\d+)?\S*/.exec(`${stdout}${stderr}`);
  return code === 0 && found ? `${name} ${found[0]}` : name;
}
