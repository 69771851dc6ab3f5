import { loadSettings } from '../../config/index.js';
import { type HealthResult, Monitoring } from '../../monitoring/index.js';
import type { DatabaseService } from '../database.service.js';
import type { IndexManager, MissingIndex } from '../index-manager.js';
import { DatabaseHealth } from './database-health.js';

const slug: MissingIndex = { name: 'tenants.slug_1', unique: true };
const recent: MissingIndex = { name: 'messages.recent', unique: false };

/** The check of indexes over a database from which these are missing. */
function setUp(missing: MissingIndex[]) {
  const look = jest.fn(() => Promise.resolve([...missing]));
  const monitoring = new Monitoring(loadSettings({}).monitoring);
  const indexes = { missing: look } satisfies Partial<IndexManager> as Partial<IndexManager> as IndexManager;
  monitoring.contribute({ health: new DatabaseHealth({} as DatabaseService, indexes).checks() });
  const ask = async (probe: 'ready' | 'startup' = 'ready'): Promise<HealthResult | undefined> =>
    (await monitoring.check(probe))['indexes'];
  return { ask, look };
}

describe('the check of indexes', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  it.each(['ready', 'startup'] as const)('%s is down without a unique one, with the names', async (probe) => {
    const { ask } = setUp([recent, slug]);
    expect(await ask(probe)).toMatchObject({
      status: 'down',
      reason: 'missing: messages.recent, tenants.slug_1; run "npm run db:indexes"',
    });
  });

  it('is degraded without another one', async () => {
    expect(await setUp([recent]).ask()).toMatchObject({ status: 'degraded' });
  });

  it('looks every five seconds at most, is up once they exist, and looks no more', async () => {
    const missing = [slug];
    const { ask, look } = setUp(missing);
    await ask();
    missing.pop();
    jest.advanceTimersByTime(4999);
    expect(await ask()).toMatchObject({ status: 'down' });
    expect(look).toHaveBeenCalledTimes(1);
    jest.advanceTimersByTime(1000);
    expect(await ask()).toMatchObject({ status: 'up' });
    missing.push(slug);
    jest.advanceTimersByTime(60_000);
    expect(await ask()).toMatchObject({ status: 'up' });
    expect(look).toHaveBeenCalledTimes(2);
  });
});
