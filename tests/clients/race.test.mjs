import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withGateway } from './gateway.mjs';
import { Dice, SeededBytes } from './seeded_bytes.mjs';
import { KIB, raceRounds, timeout } from './sizes.mjs';
import { create, decimal, exchange, head, patch, remove } from './tus.mjs';
import { patchHead, WireConnection } from './wire.mjs';

const LARGEST_BODY = 256 * KIB;

test(`of two PATCHes at one offset exactly one is accepted, ${raceRounds} times`, { timeout }, async (t) => {
  const dice = new Dice();
  t.diagnostic(`SEED=${dice.seed}`);
  const refusals = {};
  let firstWon = 0;
  await withGateway({}, async (gateway) => {
    for (let round = 0; round < raceRounds; round += 1) {
      const bodies = [0, 1].map((writer) => new SeededBytes(`${dice.seed} ${round} ${writer}`, dice.between(1, LARGEST_BODY)).slice());
      const url = await create(gateway.endpoint, undefined);
      const answers = await race(gateway.port, new URL(url).pathname, bodies);
      const winner = judge(answers, `SEED=${dice.seed} round ${round}`);
      await assertBody(url, bodies[winner]);
      await remove(url);
      firstWon += winner === 0 ? 1 : 0;
      const refusal = answers[1 - winner].status;
      refusals[refusal] = (refusals[refusal] ?? 0) + 1;
    }
  });
  t.diagnostic(`the first of the two won ${firstWon} of ${raceRounds}; refusals: ${JSON.stringify(refusals)}`);
});

// Both connections exist before either request is written, so that only the server decides.
async function race(port, path, bodies) {
  const writers = await Promise.all(bodies.map(() => WireConnection.open(port)));
  try {
    return await Promise.all(
      writers.map((writer, index) => {
        const answer = writer.answer();
        // The loser may be told, and cut off, before it has written everything.
        writer.write(Buffer.concat([Buffer.from(patchHead(path, 0, bodies[index].length)), bodies[index]])).catch(() => {});
        return answer;
      }),
    );
  } finally {
    writers.forEach((writer) => writer.close());
  }
}

function judge(answers, context) {
  const statuses = answers.map(({ status }) => status);
  const winner = statuses.indexOf(204);
  assert.ok(winner >= 0, `${context}: nobody won, ${statuses}`);
  assert.ok([409, 423].includes(statuses[1 - winner]), `${context}: the other is refused, ${statuses}`);
  return winner;
}

// The length is declared only now: until then nobody could know whose body would count.
async function assertBody(url, body) {
  assert.equal((await head(url)).offset, body.length);
  const declared = await patch(url, body.length, Buffer.alloc(0), 0, { 'Upload-Length': body.length });
  assert.equal(declared.status, 204, String(declared.body));
  assert.equal(decimal(declared.headers['upload-offset']), body.length);
  const stored = await exchange('GET', url);
  assert.equal(stored.status, 200);
  assert.ok(stored.body.equals(body), 'the file is the accepted body and nothing else');
}
