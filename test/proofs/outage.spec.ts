import { join } from 'node:path';
import { isSuccess, type OutageFigures } from './outage/check.js';
import { runOutages } from './outage/run.js';
import { builtEntry } from '../support/process.js';
import { describeWithRedis } from '../support/redis.js';

const options = {
  clients: 4,
  outageMs: 4000,
  longestMs: 60_000,
  dist: join(builtEntry('main.js'), '..', '..'),
  env: {
    MONGODB_SERVER_SELECTION_TIMEOUT_MS: '1000',
    MONGODB_CONNECT_TIMEOUT_MS: '1000',
    MONGODB_HEARTBEAT_MS: '500',
    HEALTH_CHECK_TIMEOUT_MS: '500',
  },
};

/** The times are measured by `npm run verify -- outage`. This suite only checks that each event happens. */
function expectSurvived({ noticedMs, recoveredMs, live, during, after }: OutageFigures): void {
  expect(noticedMs).toBeDefined();
  expect(recoveredMs).toBeDefined();
  expect(new Set(live.map(({ http }) => http))).toEqual(new Set([200]));
  const failed = during.filter((sample) => !isSuccess(sample));
  expect(failed).not.toHaveLength(0);
  expect(failed.filter(({ status, saysWhen }) => status !== 503 || !saysWhen)).toEqual([]);
  expect(after.some(isSuccess)).toBe(true);
  expect(after.filter((sample) => !isSuccess(sample))).toEqual([]);
}

describe('a database outage under load', () => {
  it.each(['killed', 'hanging'] as const)(
    '%s: ready returns 503 and live 200, requests get 503 with Retry-After, and the service recovers without a restart',
    async (outage) => {
      const { stores } = await runOutages({ ...options, outages: [outage], redis: false });
      expect(stores).toHaveLength(1);
      for (const figures of stores) expectSurvived(figures);
    },
    120_000,
  );
});

describeWithRedis('a Redis outage', () => {
  it('leaves ready at 200 with status degraded until Redis is back', async () => {
    const { redis } = await runOutages({ ...options, outages: [], redis: true });
    expect(redis?.degradedMs).toBeDefined();
    expect(redis?.recoveredMs).toBeDefined();
    expect(new Set(redis?.statuses)).toEqual(new Set([200]));
  });
});
