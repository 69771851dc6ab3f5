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

// The job of a killed worker runs again only after its lease has expired. One of the tests closes
// conversations, so jobs are killed in it.
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

// `npm run verify -- transcripts` runs the same check with thirty kills.
describe('transcripts acknowledged before a kill', () => {
  it('are stored once when the service is killed', async () => {
    expectProven(await run({ victim: 'service', redis: false, worker: false }));
  });

  it('are stored once when the API, the worker, or both are killed', async () => {
    expectProven(await run({ victim: 'service', redis: false, worker: true }, 2));
  });
});

describeWithRedis('with Redis, transcripts acknowledged before a kill', () => {
  it('are stored once when the service is killed', async () => {
    expectProven(await run({ victim: 'service', redis: true, worker: false }));
  });

  it('are stored once when Redis is killed', async () => {
    expectProven(await run({ victim: 'redis', redis: true, worker: false }, 2));
  });
});
