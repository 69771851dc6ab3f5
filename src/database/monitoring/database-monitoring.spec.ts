import { loadSettings } from '../../config/index.js';
import { Monitoring } from '../../monitoring/index.js';
import type { DatabaseService } from '../database.service.js';
import type { GroupCommit } from '../group-commit.js';
import type { IndexManager } from '../index-manager.js';
import type { CommandTimings } from './command-timings.js';
import { DatabaseHealth } from './database-health.js';
import { DatabaseMonitoring, type DatabaseSection } from './database-monitoring.js';

const settings = loadSettings({}).monitoring;

const section: DatabaseSection = {
  kind: 'mongodb',
  connected: true,
  pool: { open: 10, inUse: 10, waiting: 7, max: 10 },
  total: { count: 20, errorRatio: 0, ratePerSecond: 2, p50Ms: 1, p95Ms: 40, p99Ms: 60 },
  commands: [],
  pingMs: 1,
};

describe('the database alerts', () => {
  const monitoring = new Monitoring(settings);
  const database = {} as DatabaseService;
  new DatabaseMonitoring(
    monitoring,
    database,
    { onFlight: () => undefined } as unknown as GroupCommit,
    {} as CommandTimings,
    new DatabaseHealth(database, {} as IndexManager),
    settings,
  );
  const values = (of: DatabaseSection): unknown =>
    monitoring.sections[0]?.alerts?.(of).map(({ name, value }) => [name, value]);

  it('are based on the p95 of commands and on the operations that wait', () => {
    expect(values(section)).toEqual([
      ['database_p95', 40],
      ['pool_waiting', 7],
    ]);
    const levels = monitoring.sections[0]?.alerts?.(section).map((value) => value.levels);
    expect(levels).toEqual([settings.ALERT_DATABASE_P95_MS, settings.ALERT_POOL_WAITING]);
  });

  it('do not evaluate the p95 of few commands', () => {
    expect(values({ ...section, total: { ...section.total, count: 19 } })).toEqual([
      ['database_p95', null],
      ['pool_waiting', 7],
    ]);
  });

  it('raise an alert while the database is not up', () => {
    expect(monitoring.checksWithAlert().map(({ name }) => name)).toEqual(['database']);
  });
});
