// Proxies in front of a gateway, started with the very files of config/proxies.
//
// Only ports, certificates and the gateway's address are put in their places. What belongs to the whole
// process (directories, no daemon) comes from a frame that reads the file, as the distribution's own would.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { before, until } from './deadline.mjs';
import { freePort } from './gateway.mjs';
import { launch, removeScratch, run, scratchDirectory } from './scratch.mjs';
import { exchange } from './tus.mjs';

const CONFIGURATIONS = fileURLToPath(new URL('../../config/proxies/', import.meta.url));
const UPSTREAM = '127.0.0.1:8080';
const STARTED_WITHIN_MS = 15_000;
const KEPT_LOG_BYTES = 32 * 1024;

/** The path below which uploads are in the files with TLS. */
export const PREFIX = '/up';

const nginx = {
  files: { plain: 'nginx.conf', prefix: 'nginx-prefix.conf' },
  places: ({ port, certificate }) => ({
    plain: [['listen 80;', `listen 127.0.0.1:${port};`]],
    prefix: [
      ['listen 443 ssl http2;', `listen 127.0.0.1:${port} ssl http2;`],
      ['/etc/ssl/certs/upload.example.org.pem', certificate.chain],
      ['/etc/ssl/private/upload.example.org.key', certificate.key],
    ],
  }),
  frame: (directory, file) => `
daemon off;
worker_processes 1;
user ${process.getuid() === 0 ? 'root' : 'nobody'};
pid ${directory}/nginx.pid;
error_log stderr warn;
events { worker_connections 128; }
http {
  access_log off;
  client_body_temp_path ${directory}/body;
${['proxy', 'fastcgi', 'uwsgi', 'scgi'].map((each) => `  ${each}_temp_path ${directory}/${each};\n`).join('')}
  include ${file};
}
`,
  command: (directory, frame) => ['nginx', '-p', directory, '-c', frame, '-e', 'stderr'],
};

const haproxy = {
  files: { plain: 'haproxy.cfg', prefix: 'haproxy-prefix.cfg' },
  places: ({ port, certificate }) => ({
    plain: [['bind :80', `bind 127.0.0.1:${port}`]],
    prefix: [
      ['bind :443', `bind 127.0.0.1:${port}`],
      ['/etc/haproxy/upload.example.org.pem', certificate.together],
    ],
  }),
  frame: () => 'global\n    maxconn 256\n',
  command: (_, frame, file) => ['haproxy', '-db', '-f', frame, '-f', file],
};

const caddy = {
  files: { plain: 'Caddyfile', prefix: 'Caddyfile-prefix' },
  places: ({ port, certificate }) => ({
    plain: [['http://upload.example.org {', `http://127.0.0.1:${port} {`]],
    prefix: [
      ['https://upload.example.org {', `https://127.0.0.1:${port} {`],
      ['/etc/caddy/upload.example.org.pem', certificate.chain],
      ['/etc/caddy/upload.example.org.key', certificate.key],
    ],
  }),
  frame: (directory, file) => `{
	admin off
	auto_https disable_redirects
	default_bind 127.0.0.1
	storage file_system ${directory}
	log {
		level WARN
	}
}
import ${file}
`,
  command: (_, frame) => ['caddy', 'run', '--adapter', 'caddyfile', '--config', frame],
};

/** What can be started, by name. */
export const PROXIES = { nginx, haproxy, caddy };

/** A certificate for 127.0.0.1 that signs itself: paths `chain`, `key`, `together`, and `pem`. */
export async function makeCertificate(directory) {
  const [chain, key, together] = ['chain.pem', 'key.pem', 'together.pem'].map((name) => join(directory, name));
  const subject = ['-subj', '/CN=a proxy under test', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const { code, stderr } = await run('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
    ...['-keyout', key, '-out', chain, ...subject, '-addext', 'basicConstraints=critical,CA:FALSE'],
  ]);
  assert.equal(code, 0, stderr);
  const pem = await readFile(chain, 'utf8');
  await writeFile(together, pem + (await readFile(key, 'utf8')));
  return { chain, key, together, pem };
}

/** One running proxy: `url(path)` is where clients find what the gateway has at `path`. */
export class FrontProxy {
  /** Where it listens. */
  port;

  #child;
  #directory;
  #origin;
  #prefix;
  #log = Buffer.alloc(0);

  /**
   * Starts a proxy in front of the gateway at `gatewayPort`.
   *
   * `kind` is a key of `PROXIES`; `variant` is "plain" (at the root) or "prefix" (TLS, below `PREFIX`).
   * `port` is a free one by default, `altered` may change the text of the file.
   */
  static async start({ kind, variant, gatewayPort, certificate, port, altered = (text) => text }) {
    const proxy = new FrontProxy();
    proxy.port = port ?? (await freePort());
    proxy.#origin = `${variant === 'plain' ? 'http' : 'https'}://127.0.0.1:${proxy.port}`;
    proxy.#prefix = variant === 'plain' ? '' : PREFIX;
    proxy.#directory = await scratchDirectory(kind);
    const { files, places, frame, command } = PROXIES[kind];
    const substitutions = [...places({ port: proxy.port, certificate })[variant], [UPSTREAM, `127.0.0.1:${gatewayPort}`]];
    const text = await readFile(join(CONFIGURATIONS, files[variant]), 'utf8');
    const [file, frameFile] = ['configuration', 'frame'].map((name) => join(proxy.#directory, name));
    await writeFile(file, altered(substitutions.reduce(substituted, text)));
    await writeFile(frameFile, frame(proxy.#directory, file));
    await proxy.#launch(command(proxy.#directory, frameFile, file));
    return proxy;
  }

  /** Where clients find what the gateway has at `path`. */
  url(path) {
    return `${this.#origin}${this.#prefix}${path}`;
  }

  /** The last of what it wrote to its standard error. */
  get log() {
    return this.#log.toString();
  }

  async stop() {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const exited = once(this.#child, 'exit');
      this.#child.kill('SIGTERM');
      await before('the end of the proxy', exited);
    }
    await removeScratch(this.#directory);
  }

  async #launch([command, ...args]) {
    const home = { HOME: this.#directory, XDG_CONFIG_HOME: this.#directory, XDG_DATA_HOME: this.#directory };
    this.#child = launch(command, args, {
      env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin`, ...home },
      stdio: ['ignore', 'ignore', 'pipe'],
      // nginx takes its worker along only if it may end by itself.
      lastSignal: 'SIGTERM',
    });
    this.#child.stderr.on('data', (data) => {
      this.#log = Buffer.concat([this.#log, data]).subarray(-KEPT_LOG_BYTES);
    });
    let failed;
    this.#child.once('error', (error) => (failed = error));
    await until(`the start of ${command}`, async () => {
      assert.equal(failed, undefined);
      assert.equal(this.#child.exitCode, null, `${command} ended:\n${this.log}`);
      const answer = await exchange('OPTIONS', this.url('/files')).catch(() => undefined);
      return answer?.status === 204;
    }, { within: STARTED_WITHIN_MS, every: 20 }).catch((error) => {
      this.#child.kill('SIGTERM');
      throw new Error(`${error.message}\n${this.log}`);
    });
  }
}

// What is put in its place has to be there: a file that says something else is not the file that is tried.
function substituted(text, [from, to]) {
  assert.ok(text.includes(from), `the configuration does not say ${from}`);
  return text.replaceAll(from, to);
}

/** Runs `body` with a proxy, which is stopped afterwards. */
export async function withProxy(options, body) {
  const proxy = await FrontProxy.start(options);
  try {
    return await body(proxy);
  } finally {
    await proxy.stop();
  }
}
