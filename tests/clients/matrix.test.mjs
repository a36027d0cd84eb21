// The clients that are, or can be put into, a process of their own. Each is a command
//
//     CLIENT ENDPOINT FILE NAME STATE [WISH ..]
//
// that uploads FILE under NAME and prints the URL. With `--remember` the same command continues what
// an earlier process began, and may keep what it needs for that in STATE.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { before } from './deadline.mjs';
import { assertServed, AWKWARD_NAME, cell, CUT_AFTER_BYTES, CUT_FILE_BYTES, offsetsSent, onTheWay, sentAgain } from './matrix.mjs';
import { launch, run } from './scratch.mjs';
import { MIB } from './sizes.mjs';
import { head } from './tus.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const python = process.env.CLIENTS_PYTHON ?? here('.venv/bin/python');
const rust = process.env.TUS_UPLOADER ?? here('../../target/tus-uploader/debug/tidegate-tus-uploader-client');

const CLIENTS = [
  { name: 'tus-js-client', command: [process.execPath, here('matrix/tus_js_client.mjs')], parallel: true },
  { name: 'tuspy', command: [python, here('matrix/tuspy_client.py')], checksum: /^sha1 / },
  // It does not understand a Location without a host.
  { name: 'aiotus', command: [python, here('matrix/aiotus_client.py')], parallel: true, absolute: true },
  { name: 'tus-uploader', command: [rust], parallel: true, checksum: /^sha1 /, trailer: true },
  { name: 'curl', command: [here('matrix/curl_client.sh')], checksum: /^sha1 / },
];
const ENDED_WITHIN_MS = 60_000;

for (const client of CLIENTS) {
  const { name, command, absolute } = client;

  const uploading = (seed, length, body) =>
    onTheWay({ seed: `${name} ${seed}`, length, absolute }, (way) => {
      const args = (filename, ...wishes) => [way.endpoint, way.file, filename, join(way.directory, 'state'), ...wishes];
      const upload = async (filename, ...wishes) => {
        const { code, stdout, stderr } = await run(command[0], [...command.slice(1), ...args(filename, ...wishes)]);
        assert.equal(code, 0, `${name}: ${stderr}`);
        return stdout.trim();
      };
      return body({ ...way, args, upload });
    });

  cell(name, 'upload', `${name} uploads`, () =>
    uploading('upload', CUT_FILE_BYTES, async ({ gateway, bytes, upload }) => {
      await assertServed(gateway, await upload('source.txt'), bytes, 'source.txt');
    }),
  );

  cell(name, 'name', `a file that ${name} sent is served under its name, which is not ASCII`, () =>
    uploading('name', 1000, async ({ gateway, bytes, upload }) => {
      await assertServed(gateway, await upload(AWKWARD_NAME), bytes, AWKWARD_NAME);
    }),
  );

  cell(name, 'cut', `${name} goes on after its connection was reset in the middle of a body`, () =>
    uploading('cut', CUT_FILE_BYTES, async ({ gateway, proxy, bytes, upload }) => {
      const cut = proxy.resetAfter(CUT_AFTER_BYTES);
      const url = await upload('source.txt');
      await before('the cut', cut, 1000);
      await assertServed(gateway, url, bytes, 'source.txt');
      const sent = await sentAgain({ gateway, proxy, bytes });
      assert.equal(sent.twice ?? 0, 0, `the gateway did not keep ${sent.twice} bytes that it had received`);
      return sent;
    }),
  );

  cell(name, 'killed', `a new process goes on where ${name} was killed in the middle of a body`, () =>
    uploading('killed', CUT_FILE_BYTES, async ({ gateway, proxy, bytes, args, upload }) => {
      const child = launch(command[0], [...command.slice(1), ...args('source.txt', '--remember')], {
        stdio: ['ignore', 'ignore', 'inherit'],
        detached: true,
      });
      const ended = once(child, 'exit');
      // The shell around curl and curl itself are one group.
      const cut = proxy.callAfter(CUT_AFTER_BYTES, () => process.kill(-child.pid, 'SIGKILL'));
      await before('the kill', cut, ENDED_WITHIN_MS);
      const [code, signal] = await ended;
      assert.deepEqual([code, signal], [null, 'SIGKILL']);
      const url = await upload('source.txt', '--remember');
      await assertServed(gateway, url, bytes, 'source.txt');
      const offsets = offsetsSent(proxy);
      assert.ok(offsets.at(-1) > 0, `it began again from ${offsets}`);
      const sent = await sentAgain({ gateway, proxy, bytes });
      assert.equal(sent.twice ?? 0, 0, `the gateway did not keep ${sent.twice} bytes that it had received`);
      return sent;
    }),
  );

  if (client.parallel) {
    cell(name, 'parallel', `${name} uploads in parallel parts, one of which is cut`, () =>
      uploading('parallel', CUT_FILE_BYTES, async ({ gateway, proxy, bytes, upload }) => {
        const cut = proxy.resetAfter(CUT_AFTER_BYTES);
        const url = await upload(AWKWARD_NAME, '--parallel');
        await before('the cut', cut, 1000);
        await assertServed(gateway, url, bytes, AWKWARD_NAME);
        const sent = await sentAgain({ gateway, proxy, bytes });
        const { headers } = await head(new URL(new URL(url).pathname, gateway.endpoint).href);
        assert.match(headers['upload-concat'], /^final;/);
        return sent;
      }),
    );
  }

  if (client.checksum) {
    cell(name, 'checksum', `${name} sends a checksum with each body, also after a cut`, () =>
      uploading('checksum', CUT_FILE_BYTES, async ({ gateway, proxy, bytes, upload }) => {
        const cut = proxy.resetAfter(CUT_AFTER_BYTES);
        const url = await upload('source.txt', '--checksum');
        await before('the cut', cut, 1000);
        await assertServed(gateway, url, bytes, 'source.txt');
        for (const patch of proxy.requestHeads.filter((text) => text.startsWith('PATCH '))) {
          assert.match(/\r\nupload-checksum: ([^\r]*)/i.exec(patch)?.[1], client.checksum);
        }
        return sentAgain({ gateway, proxy, bytes });
      }),
    );
  }

  if (client.trailer) {
    cell(name, 'trailer', `${name} sends the checksum behind each body`, () =>
      uploading('trailer', 9 * MIB, async ({ gateway, proxy, bytes, upload }) => {
        const url = await upload('source.txt', '--checksum-trailer');
        await assertServed(gateway, url, bytes, 'source.txt');
        const patches = proxy.requestHeads.filter((text) => text.startsWith('PATCH '));
        assert.ok(patches.every((patch) => /\r\ntrailer: upload-checksum\r\n/i.test(patch)), patches[0]);
      }),
    );
  }
}
