import { dirname } from 'node:path';
import { runShutdowns } from './shutdown/run.js';
import { builtEntry } from '../support/process.js';

const ROUNDS = 2;

// `npm run verify -- shutdown` runs the same check with more clients and more rounds.
describe('SIGTERM under load', () => {
  it('answers every accepted request, loses and duplicates nothing, and exits with code 0', async () => {
    const { rounds, broken } = await runShutdowns({
      rounds: ROUNDS,
      clients: 12,
      seed: Math.floor(Math.random() * 2 ** 32),
      graceMs: 25_000,
      drainMs: 3000,
      src: dirname(builtEntry('main.js')),
    });
    expect([...rounds.flatMap((round) => round.broken), ...broken]).toEqual([]);
    expect(rounds).toHaveLength(ROUNDS);
    for (const { answeredLate } of rounds) expect(answeredLate).toBeGreaterThan(0);
  });
});
