// Starts, kills, restarts and stops the server under test: the binary that TIDEGATE_BIN names.
//
// If that binary is called `tusd`, the tests aim at tusd instead. What fails there and passes here
// is what the gateway promises beyond its peer; what fails in both is more likely the test.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { before } from './deadline.mjs';
import { launch, removeScratch, run, scratchDirectory } from './scratch.mjs';

const STARTED_WITHIN_MS = 15_000;
const STOPPED_WITHIN_MS = 15_000;
const KEPT_LOG_BYTES = 32 * 1024;

/** Path of the binary under test. */
export const binary =
  process.env.TIDEGATE_BIN ?? fileURLToPath(new URL('../../target/release/tidegate', import.meta.url));

const tidegate = {
  isTidegate: true,
  arguments: ({ uploadPort, adminPort, dataDirectory }) => [
    'serve',
    ...['--listen', `127.0.0.1:${uploadPort}`],
    ...['--admin-listen', `127.0.0.1:${adminPort}`],
    ...['--data-dir', dataDirectory],
  ],
  environment: ({ maxSizeBytes, durability, reserveBytes, settings }) => ({
    ...settings,
    ...(reserveBytes !== undefined && { TIDEGATE__STORAGE__RESERVE: `${reserveBytes}B` }),
    ...(maxSizeBytes && { TIDEGATE__TUS__MAX_SIZE: `${maxSizeBytes}B` }),
    ...(durability && { TIDEGATE__STORAGE__DURABILITY: durability }),
  }),
  addresses: (text) =>
    /^ready\b/m.test(text) && {
      endpoint: /^upload endpoint\s+(\S+)/m.exec(text)[1],
      admin: /^admin\s+(\S+)/m.exec(text)[1],
      tryIt: /^try it\s+(.+)$/m.exec(text)[1],
    },
};

const tusd = {
  isTidegate: false,
  arguments: ({ uploadPort, dataDirectory, maxSizeBytes }) => [
    ...['-host', '127.0.0.1', '-port', `${uploadPort}`, '-base-path', '/files/'],
    ...['-upload-dir', dataDirectory],
    ...(maxSizeBytes ? ['-max-size', `${maxSizeBytes}`] : []),
  ],
  environment: () => ({}),
  addresses: (text) => {
    const found = /upload files to: (http:\S+)/.exec(text);
    return found && { endpoint: found[1] };
  },
};

/** How the server under test is spoken to on its command line. */
export const server = basename(binary).startsWith('tusd') ? tusd : tidegate;

/** One running server and its data directory. */
export class Gateway {
  /** Where it keeps everything. */
  dataDirectory;

  /** URL uploads are created at. */
  endpoint;

  /** Port of the endpoint. */
  port;

  /** URL of the admin listener. */
  admin;

  /** The command it prints for a first upload. */
  tryIt;

  #options;
  #child;
  #exited;
  #log = Buffer.alloc(0);

  /**
   * Starts the binary on free ports.
   *
   * `options`: `maxSizeBytes`, `durability` ("fsync" or "os"), `reserveBytes`, which default to the
   * binary's own; `settings`, further ones as environment variables; `deviceBytes` gives its data a device
   * of that size.
   */
  static async start(options = {}) {
    const gateway = new Gateway();
    gateway.dataDirectory = await scratchDirectory('data');
    const uploadPort = server.isTidegate ? 0 : await freePort();
    gateway.#options = { ...options, uploadPort, adminPort: 0, dataDirectory: gateway.dataDirectory };
    await gateway.#launch();
    return gateway;
  }

  /** Process id of the running server. */
  get pid() {
    return this.#child.pid;
  }

  /** The last of what it wrote to its standard error. */
  get log() {
    return this.#log.toString();
  }

  /** `kill -9`, at once. The promise resolves when the process is gone. */
  async kill() {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }

  /** Holds the process (SIGSTOP) where it is. A `kill` still ends it. */
  freeze() {
    this.#child.kill('SIGSTOP');
  }

  /** Starts it again after `kill`, on the same ports and the same data. */
  async restart() {
    await this.#exited;
    await this.#launch();
  }

  /**
   * Asks it to end (SIGTERM) and removes its data.
   *
   * # Errors
   * If it had already ended, does not end in time, or does not end with exit code 0.
   */
  async stop() {
    try {
      assert.equal(this.#child.exitCode ?? this.#child.signalCode, null, `it had ended by itself:\n${this.log}`);
      this.#child.kill('SIGTERM');
      const { code, signal } = await before('the end after SIGTERM', this.#exited, STOPPED_WITHIN_MS);
      assert.deepEqual({ code, signal }, { code: 0, signal: null }, `after SIGTERM:\n${this.log}`);
    } finally {
      await this.discard();
    }
  }

  /** Kills it and removes its data, whatever state it is in. */
  async discard() {
    await this.kill();
    await removeScratch(this.dataDirectory);
  }

  /** Runs another command of the same binary on the same data, e.g. `doctor`. */
  async command(...args) {
    return run(binary, [...args, '--data-dir', this.dataDirectory], { env: environment({}) });
  }

  /** Path of something in the data directory. */
  path(...names) {
    return join(this.dataDirectory, ...names);
  }

  async #launch() {
    const [command, ...args] = onDevice(this.#options, [binary, ...server.arguments(this.#options)]);
    const child = launch(command, args, {
      cwd: this.dataDirectory,
      env: environment(this.#options),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    this.#exited = once(child, 'exit').then(([code, signal]) => ({ code, signal }));
    child.stderr.on('data', (data) => {
      if (process.env.TRACE === '1') {
        process.stderr.write(data);
      }
      this.#log = Buffer.concat([this.#log, data]).subarray(-KEPT_LOG_BYTES);
    });
    try {
      const { endpoint, admin, tryIt } = await before('its start', this.#announced(child), STARTED_WITHIN_MS);
      this.endpoint = endpoint;
      this.port = Number(new URL(endpoint).port);
      // From now on a restart comes back where clients look for it.
      this.#options.uploadPort = this.port;
      this.#options.adminPort = admin ? Number(new URL(admin).port) : 0;
      this.admin = admin;
      this.tryIt = tryIt;
    } catch (error) {
      child.kill('SIGKILL');
      throw new Error(`${binary} did not start: ${error.message}\n${this.log}`);
    }
  }

  // Reads standard output until the addresses are there, and goes on emptying it.
  #announced(child) {
    return new Promise((resolve, reject) => {
      let text = '';
      child.stdout.on('data', (data) => {
        if (text !== undefined) {
          text += data;
          const addresses = server.addresses(text);
          if (addresses) {
            text = undefined;
            resolve(addresses);
          }
        }
      });
      child.once('error', reject);
      child.once('exit', (code, signal) => reject(new Error(`it ended with ${code ?? signal}`)));
    });
  }
}

// A memory file system that only the server sees, and that goes with it. `exec` all the way, so that
// the child is the server itself. Who is not root becomes it in a user namespace.
function onDevice({ deviceBytes, dataDirectory }, command) {
  if (deviceBytes === undefined) {
    return command;
  }
  const namespace = process.getuid() === 0 ? ['--mount'] : ['--mount', '--map-root-user'];
  const script = 'mount -t tmpfs -o size="$0" tmpfs "$1" && cd "$1" && shift && exec "$@"';
  return ['unshare', ...namespace, 'sh', '-c', script, `${deviceBytes}`, dataDirectory, ...command];
}

/** Runs `body` with a server of its own, which must still be well at the end. */
export async function withGateway(options, body) {
  const gateway = await Gateway.start(options);
  let outcome;
  try {
    outcome = await body(gateway);
  } catch (error) {
    const log = gateway.log;
    await gateway.discard();
    if (log !== '') {
      console.error(`the end of the server's log:\n${log.slice(-4096)}`);
    }
    throw error;
  }
  await gateway.stop();
  return outcome;
}

// Settings of the shell that runs the tests must not reach the server.
function environment(options) {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('TIDEGATE'));
  return { ...Object.fromEntries(inherited), ...server.environment(options) };
}

/** A port that nobody listens on at the moment, for a server that can't be asked for port 0. */
export async function freePort() {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address();
  listener.close();
  await once(listener, 'close');
  return port;
}
