// Prometheus, as Debian has it, beside the gateway: rules, dashboard, and an alert that fires.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFile, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { until } from './deadline.mjs';
import { freePort, server, withGateway } from './gateway.mjs';
import { launch, withScratch } from './scratch.mjs';
import { timeout } from './sizes.mjs';
import { begin, create, exchange, head, patch, remove } from './tus.mjs';

const skip = !server.isTidegate && 'the gateway\'s own metrics';
const CONFIG = fileURLToPath(new URL('../../config/', import.meta.url));
const PROMETHEUS = join(CONFIG, 'prometheus');
const RULES = 'tidegate.rules.yml';
// A component that no XMPP server takes, so that there is one to be shown.
const TENANTS =
  "[{scheme='own',public_url='https://up.example',component={server='127.0.0.1:1'," +
  "domain='up.example.org',secret='of a test',users=['example.org']}}]";

test('promtool finds nothing wrong with the rules, their tests and the configuration', { timeout, skip }, () => {
  promtool(['check', 'rules', RULES]);
  promtool(['check', 'config', 'prometheus.yml']);
  promtool(['test', 'rules', 'tidegate.rules.test.yml']);
});

test('every alert has a test', { timeout, skip }, async () => {
  const alerts = (text) => [...text.matchAll(/alert: (\w+)/g)].map(([, name]) => name);
  const tests = await readFile(join(PROMETHEUS, 'tidegate.rules.test.yml'), 'utf8');
  const tested = new Set([...tests.matchAll(/alertname: (\w+)/g)].map(([, name]) => name));
  assert.deepEqual(alerts(await readFile(join(PROMETHEUS, RULES), 'utf8')).filter((name) => !tested.has(name)), []);
});

test('a gateway under load is seen by every query, and damage fires its alert', { timeout, skip }, () =>
  withGateway({ tenants: TENANTS }, async (gateway) => {
    await load(gateway);
    const metrics = await exchange('GET', `${gateway.admin}/metrics`, { headers: { Accept: 'text/plain' } });
    promtool(['check', 'metrics'], metrics.body);
    const queries = await dashboard();
    const rules = await readFile(join(PROMETHEUS, RULES), 'utf8');
    const told = new Set([...`${metrics.body}`.matchAll(/^(\w+)/gm)].map(([, name]) => name));
    const named = [...queries, rules].flatMap((text) => text.match(/\b(?:tidegate|process)_\w+/g) ?? []);
    assert.deepEqual([...new Set(named)].filter((name) => !told.has(name)), []);

    await withPrometheus(gateway, async (ask) => {
      const missing = new Set(queries);
      const long = await begun(gateway);
      await until('data for every query of the dashboard', async () => {
        await load(gateway);
        // So that there is a connection that lasts long enough to be looked at.
        long.write('x');
        for (const query of missing) {
          const { result } = await ask(`query?query=${encodeURIComponent(query)}`);
          if (result.some(({ value }) => Number.isFinite(Number(value[1])))) {
            missing.delete(query);
          }
        }
        return missing.size === 0;
      }, { within: 60_000, every: 500 }).catch((error) => {
        throw new Error(`${error.message}; without data:\n${[...missing].join('\n')}`);
      });

      long.destroy();
      const loaded = (await ask('rules')).groups.flatMap((group) => group.rules);
      assert.equal(loaded.length, rules.match(/alert:/g).length);
      assert.deepEqual(loaded.filter(({ health }) => health === 'err'), []);

      await damage(gateway);
      const fires = async () => {
        const { alerts } = await ask('alerts');
        return alerts.some(({ labels, state }) => labels.alertname === 'TidegateDamage' && state === 'firing');
      };
      await until('the alert', fires, { within: 30_000, every: 200 });
    });
  }),
);

/** Fails, with what promtool says, unless it finds nothing. */
function promtool(args, input) {
  const { status, stdout, stderr } = spawnSync('promtool', args, { cwd: PROMETHEUS, input, encoding: 'utf8' });
  assert.equal(status, 0, `promtool ${args.join(' ')}:\n${stdout}${stderr}`);
}

/** The queries of the dashboard, as Grafana would ask them for all gateways. */
async function dashboard() {
  const { panels } = JSON.parse(await readFile(join(CONFIG, 'grafana/tidegate.json'), 'utf8'));
  const expressions = panels.flatMap(({ targets }) => targets ?? []).map(({ expr }) => expr);
  assert.ok(expressions.length > 30);
  return expressions.map((expr) => expr.replaceAll('$__rate_interval', '10s').replaceAll('$instance', '.*'));
}

/** Runs `body` with a Prometheus that looks at the gateway once a second. */
async function withPrometheus(gateway, body) {
  await withScratch('prometheus', async (directory) => {
    const shipped = await readFile(join(PROMETHEUS, 'prometheus.yml'), 'utf8');
    const hurried = shipped.replaceAll('interval: 15s', 'interval: 1s').replace('127.0.0.1:9090', new URL(gateway.admin).host);
    assert.ok(hurried.includes(new URL(gateway.admin).host));
    await writeFile(join(directory, 'prometheus.yml'), hurried);
    await copyFile(join(PROMETHEUS, RULES), join(directory, RULES));
    const address = `127.0.0.1:${await freePort()}`;
    const child = launch('prometheus', [
      ...['--config.file', join(directory, 'prometheus.yml'), '--storage.tsdb.path', join(directory, 'data')],
      ...['--web.listen-address', address, '--log.level', 'warn'],
    ], { stdio: ['ignore', 'ignore', 'inherit'] });
    try {
      const ready = () => exchange('GET', `http://${address}/-/ready`).then(({ status }) => status === 200, () => false);
      await until('a Prometheus that is ready', ready, { within: 30_000, every: 100 });
      await body(async (path) => {
        const { body: text } = await exchange('GET', `http://${address}/api/v1/${path}`);
        const answer = JSON.parse(text);
        assert.equal(answer.status, 'success', `${path}: ${text}`);
        return answer.data;
      });
    } finally {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await gone;
    }
  });
}

/** A little of everything: whole uploads, one from two addresses, one that is cut, a refusal, a removal. */
async function load(gateway) {
  const url = await create(gateway.endpoint, 4);
  assert.equal((await patch(url, 0, Buffer.from('ab'))).status, 204);
  const headers = { 'Tus-Resumable': '1.0.0', 'Content-Type': 'application/offset+octet-stream', 'Content-Length': 2 };
  const rest = { headers: { ...headers, 'Upload-Offset': 2 }, body: Buffer.from('cd'), localAddress: '127.0.0.2' };
  assert.equal((await exchange('PATCH', url, rest)).status, 204);
  assert.equal((await head(url)).offset, 4);
  assert.equal((await exchange('GET', url)).status, 200);
  await remove(url);
  assert.equal((await exchange('PATCH', url, rest)).status, 404);
  (await begun(gateway)).destroy();
}

/** A PATCH that has brought three bytes. */
async function begun(gateway) {
  const url = await create(gateway.endpoint, 1000);
  const headers = { 'Tus-Resumable': '1.0.0', 'Content-Type': 'application/offset+octet-stream', 'Content-Length': 1000 };
  const request = begin('PATCH', url, { ...headers, 'Upload-Offset': 0 });
  request.on('error', () => {});
  request.write('abc');
  await until('a transfer', async () => (await running(gateway)) > 0);
  return request;
}

async function running(gateway) {
  const { body } = await exchange('GET', `${gateway.admin}/metrics`);
  return Number(/^tidegate_transfers_running (\d+)$/m.exec(body)[1]);
}

/** Changes a byte of a finished upload behind the gateway's back, and lets it notice. */
async function damage(gateway) {
  const url = await create(gateway.endpoint, 4);
  assert.equal((await patch(url, 0, Buffer.from('abcd'))).status, 204);
  const id = url.split('/').at(-1);
  const files = await readdir(gateway.dataDirectory, { recursive: true });
  const file = files.find((path) => path.includes('finished') && path.endsWith(id));
  assert.ok(file, files.join('\n'));
  await writeFile(join(gateway.dataDirectory, file), 'abXd');
  await exchange('GET', url).catch(() => {});
}
