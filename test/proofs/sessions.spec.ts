import { resolve } from 'node:path';
import { isExact, runSessionSharing } from './sessions/session-sharing.js';
import { describeWithRedis } from '../support/redis.js';

/** The processes of this suite run the build in `dist`, which `npm test` creates first. */
const dist = resolve(process.env['COLLOQUY_TEST_DIST'] ?? 'dist');

describeWithRedis('one session shared by two processes', () => {
  it('counts every increment once, by PATCH and by messages, with Redis running and during a Redis outage', async () => {
    const seed = Math.floor(Math.random() * 2 ** 32);
    const { rounds, redisProblems } = await runSessionSharing({
      clients: 10,
      increments: 100,
      seed,
      main: resolve(dist, 'src', 'main.js'),
      indexes: resolve(dist, 'scripts', 'db-indexes.js'),
      storeChild: resolve(dist, 'test', 'proofs', 'store', 'store-child.js'),
    });
    const failures = rounds
      .filter((round) => !isExact(round))
      .map(({ tally, ...round }) => ({ seed, ...round, failures: [...tally.failures] }));
    expect(failures).toEqual([]);
    expect({ seed, redisProblems }).toEqual({ seed, redisProblems: [] });
    expect(rounds.map(({ name, redisKilled, count }) => [name, redisKilled, count])).toEqual([
      ['PATCH /v1/sessions', false, 100],
      ['POST /v1/messages', false, 100],
      ['PATCH /v1/sessions', true, 100],
      ['POST /v1/messages', true, 100],
    ]);
  });
});
