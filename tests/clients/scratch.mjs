// What a test leaves behind if nobody cleans up: child processes and directories.
// Both are registered here, and go when the test process goes, however it goes short of SIGKILL.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const children = new Set();
const directories = new Set();

/** Makes an empty directory under `SCRATCH_DIR` (default: the system's temporary directory). */
export async function scratchDirectory(label) {
  const directory = await mkdtemp(join(process.env.SCRATCH_DIR ?? tmpdir(), `tidegate-${label}-`));
  directories.add(directory);
  return directory;
}

/** Removes a directory made by `scratchDirectory`. */
export async function removeScratch(directory) {
  await rm(directory, { recursive: true, force: true });
  directories.delete(directory);
}

/** Runs `body` with a directory of its own and removes it afterwards, also when `body` fails. */
export async function withScratch(label, body) {
  const directory = await scratchDirectory(label);
  try {
    return await body(directory);
  } finally {
    await removeScratch(directory);
  }
}

/**
 * Starts a child process that does not outlive this one.
 *
 * `lastSignal` is what ends it if nobody else has; a process with children of its own may need
 * a gentler one than SIGKILL to take them along.
 */
export function launch(command, args, { lastSignal = 'SIGKILL', ...options } = {}) {
  const child = spawn(command, args, options);
  child.lastSignal = lastSignal;
  children.add(child);
  child.once('exit', () => children.delete(child));
  child.once('error', () => children.delete(child));
  return child;
}

/**
 * Runs a command to its end.
 *
 * Resolves to `{ code, signal, stdout, stderr }`; rejects only if it cannot be started.
 */
export async function run(command, args, options = {}) {
  const child = launch(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  const stdout = [];
  const stderr = [];
  child.stdout.on('data', (data) => stdout.push(data));
  child.stderr.on('data', (data) => stderr.push(data));
  const [code, signal] = await once(child, 'close');
  return {
    code,
    signal,
    stdout: Buffer.concat(stdout).toString(),
    stderr: Buffer.concat(stderr).toString(),
  };
}

process.on('exit', () => {
  for (const child of children) {
    child.kill(child.lastSignal);
  }
  for (const directory of directories) {
    try {
      rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
    } catch (error) {
      console.error(`${directory} stays behind: ${error.message}`);
    }
  }
});
for (const [signal, number] of [['SIGINT', 2], ['SIGTERM', 15], ['SIGHUP', 1]]) {
  process.on(signal, () => process.exit(128 + number));
}
