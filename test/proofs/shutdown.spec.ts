import { dirname } from 'node:path';
import { runShutdowns } from './shutdown/run.js';
import { builtEntry } from '../support/process.js';

const ROUNDS = 2;

// `npm run verify -- shutdown` does the same with more clients, more often.
describe('SIGTERM under load', () => {
  it('leaves no request unanswered that was taken, loses nothing, doubles nothing, and ends with code 0', async () => {
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
