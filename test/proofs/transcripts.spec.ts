import { dirname } from 'node:path';
import {
  isProven,
  runTranscriptKills,
  type TranscriptKills,
  type TranscriptResult,
} from './transcripts/run.js';
import { builtEntry } from '../support/process.js';
import { describeWithRedis } from '../support/redis.js';

const KILLS = 2;

// A job of a killed worker waits for its lease: one of the suites closes conversations, and with it jobs are killed.
const run = (
  how: Pick<TranscriptKills, 'victim' | 'redis' | 'worker'>,
  closers = 0,
): Promise<TranscriptResult> =>
  runTranscriptKills({
    ...how,
    kills: KILLS,
    seed: Math.floor(Math.random() * 2 ** 32),
    clients: 8,
    closers,
    dist: dirname(builtEntry('main.js')),
  });

function expectProven(result: TranscriptResult): void {
  expect(result.problems).toEqual([]);
  expect(result.found).toEqual(result.acked);
  expect(result.acked.transcripts).toBeGreaterThan(KILLS);
  expect(isProven(result)).toBe(true);
}

// `npm run verify -- transcripts` does the same with thirty kills.
describe('transcripts that were acknowledged before a kill', () => {
  it('are stored once when it was the service', async () => {
    expectProven(await run({ victim: 'service', redis: false, worker: false }));
  });

  it('are stored once when it was the API, the worker beside it, or both', async () => {
    expectProven(await run({ victim: 'service', redis: false, worker: true }, 2));
  });
});

describeWithRedis('with Redis, transcripts that were acknowledged before a kill', () => {
  it('are stored once when it was the service', async () => {
    expectProven(await run({ victim: 'service', redis: true, worker: false }));
  });

  it('are stored once when it was Redis', async () => {
    expectProven(await run({ victim: 'redis', redis: true, worker: false }, 2));
  });
});
