// What the kernel knows about a process and its sockets (Linux, /proc).

import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';

const TICKS_PER_SECOND = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

/** Resident memory of a process now and at its peak, in bytes. */
export function memoryOf(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const bytes = (name) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)[1]) * 1024;
  return { resident: bytes('VmRSS'), peak: bytes('VmHWM') };
}

/** CPU seconds (user and system) that a process and its living children have used. */
export function cpuSecondsOf(pid) {
  return [pid, ...childrenOf(pid)].reduce((sum, each) => {
    const fields = statOf(each);
    return sum + (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  }, 0);
}

/** True while the process is stopped by SIGSTOP. */
export function isStopped(pid) {
  return readdirSync(`/proc/${pid}/task`).every((task) => statOf(`${pid}/task/${task}`)[0] === 'T');
}

/**
 * Bytes that are in the kernel between two ends of a loopback connection: written by the one
 * on `fromPort`, not yet read by the one on `toPort`.
 *
 * The two ends are read one after the other. It is exact once the answer stops changing.
 */
export function bytesBetween(fromPort, toPort) {
  let queued = 0;
  for (const line of readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1)) {
    const [, local, remote, , queues] = line.trim().split(/\s+/);
    if (local === undefined) {
      continue;
    }
    const [unacknowledged, unread] = queues.split(':').map((hex) => parseInt(hex, 16));
    if (port(local) === fromPort && port(remote) === toPort) {
      queued += unacknowledged;
    } else if (port(local) === toPort && port(remote) === fromPort) {
      queued += unread;
    }
  }
  return queued;
}

function port(address) {
  return parseInt(address.split(':')[1], 16);
}

// The fields of /proc/<pid>/stat after the command name, which may contain blanks and brackets.
function statOf(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function childrenOf(pid) {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .split(' ')
    .filter((text) => text !== '')
    .flatMap((child) => [Number(child), ...childrenOf(Number(child))]);
}
