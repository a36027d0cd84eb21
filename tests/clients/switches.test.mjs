// Clients that come back by another address, and the switches that an operator has for that.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from './deadline.mjs';
import { server, withGateway } from './gateway.mjs';
import { timeout } from './sizes.mjs';
import { begin, create, exchange, head, patch } from './tus.mjs';

const skip = !server.isTidegate && 'the gateway\'s own metrics and settings';

// Every address of 127/8 is this machine's, and to the gateway each is another client's.
const HERE = '127.0.0.1';
const THERE = '127.0.0.2';

test('an upload that goes on from another address is counted once, with its time', { timeout, skip }, () =>
  withGateway({}, async (gateway) => {
    await switched(gateway);
    assert.equal(await metric(gateway, 'tidegate_client_switches_total{how="address"}'), 1);
    assert.equal(await metric(gateway, 'tidegate_client_switches_total{how="transport"}'), 0);
    assert.equal(await metric(gateway, 'tidegate_client_switch_duration_seconds_count'), 1);
    const seconds = await metric(gateway, 'tidegate_client_switch_duration_seconds_sum');
    assert.ok(seconds > 0 && seconds < 10, `${seconds} s`);
    const told = gateway.log.split('\n').find((line) => line.includes('goes on by another address'));
    assert.ok(told && !told.includes(THERE), `the access log has the address, this line has not: ${told}`);
  }),
);

test('with network.remembered_paths = 0 no path is remembered', { timeout, skip }, () =>
  withGateway({ settings: { TIDEGATE__NETWORK__REMEMBERED_PATHS: '0' } }, async (gateway) => {
    await switched(gateway);
    assert.equal(await metric(gateway, 'tidegate_client_switches_total{how="address"}'), 0);
  }),
);

test('with uploads.resumableuploadsenabled = false there is no tus', { timeout, skip }, () =>
  withGateway({ settings: { TIDEGATE__UPLOADS__RESUMABLEUPLOADSENABLED: 'false' } }, async (gateway) => {
    const headers = { 'Tus-Resumable': '1.0.0', 'Upload-Length': 3, 'Content-Length': 0 };
    const answer = await exchange('POST', gateway.endpoint, { headers });
    assert.deepEqual([answer.status, answer.headers.allow], [405, 'OPTIONS']);
    const offered = await exchange('OPTIONS', gateway.endpoint);
    assert.deepEqual([offered.status, offered.headers['tus-version']], [204, undefined]);
  }),
);

test('with streaming.network_condition_monitoring = false the kernel is not asked', { timeout, skip }, () =>
  withGateway({}, (asking) =>
    withGateway({ settings: { TIDEGATE__STREAMING__NETWORK_CONDITION_MONITORING: 'false' } }, async (silent) => {
      const uploads = await Promise.all([asking, silent].map(drip));
      const looks = (gateway) => metric(gateway, 'tidegate_path_rtt_seconds_count');
      // Both have a connection that carries something. They would look once a second, and not at the same moment:
      // after two looks of one, the other has had its time.
      await until('two looks at a connection', async () => {
        uploads.forEach((upload) => upload.write('x'));
        return (await looks(asking)) > 1;
      }, { every: 100 });
      assert.equal(await looks(silent), 0);
      uploads.forEach((upload) => upload.destroy());
    }),
  ),
);

/** An upload that has begun and goes on with each `write`. */
async function drip(gateway) {
  const url = await create(gateway.endpoint, 1000);
  const upload = begin('PATCH', url, {
    'Tus-Resumable': '1.0.0',
    'Content-Type': 'application/offset+octet-stream',
    'Upload-Offset': 0,
    'Content-Length': 1000,
  });
  upload.on('error', () => {});
  return upload;
}

async function switched(gateway) {
  const url = await create(gateway.endpoint, 6);
  assert.equal((await patch(url, 0, Buffer.from('ab'))).status, 204);
  assert.equal((await patch(url, 2, Buffer.from('cd'))).status, 204);
  const headers = {
    'Tus-Resumable': '1.0.0',
    'Content-Type': 'application/offset+octet-stream',
    'Upload-Offset': 4,
    'Content-Length': 2,
  };
  const answer = await exchange('PATCH', url, { headers, body: Buffer.from('ef'), localAddress: THERE });
  assert.equal(answer.status, 204);
  const looked = await exchange('GET', url, { localAddress: HERE });
  assert.equal(`${looked.body}`, 'abcdef');
  assert.equal((await head(url)).offset, 6);
}

async function metric(gateway, name) {
  const { body } = await exchange('GET', `${gateway.admin}/metrics`);
  const line = `${body}`.split('\n').find((candidate) => candidate.startsWith(`${name} `));
  assert.ok(line, `${name} in\n${body}`);
  return Number(line.slice(name.length));
}
