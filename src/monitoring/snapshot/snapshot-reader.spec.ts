import { loadSettings } from '../../config/index.js';
import { createLogger } from '../../logging/index.js';
import { EventLoopWatch } from '../health/event-loop-watch.js';
import type { HealthStatus } from '../health/health-check.js';
import { HealthService } from '../health/health.service.js';
import { Monitoring } from '../monitoring.js';
import { SlowOperations } from '../timings/slow-operations.js';
import { SnapshotReader } from './snapshot-reader.js';

const settings = loadSettings({}).monitoring;
const logger = createLogger({ level: 'silent', pretty: false });
const levels = { warning: 10, critical: 20 };

function setUp() {
  const monitoring = new Monitoring(settings);
  const health = new HealthService(monitoring, new EventLoopWatch(), settings);
  return {
    monitoring,
    reader: new SnapshotReader(monitoring, health, new SlowOperations(), settings, logger),
  };
}

describe('SnapshotReader', () => {
  afterEach(() => jest.useRealTimers());

  it('contains the section of each module, or null if it cannot be read', async () => {
    const { monitoring, reader } = setUp();
    monitoring.contribute({ snapshot: { name: 'mail', read: () => ({ sent: 3 }) } });
    monitoring.contribute({
      snapshot: { name: 'broken', read: () => Promise.reject(new Error('the database is away')) },
    });
    const { measured } = await reader.read();
    expect(measured).toMatchObject({ mail: { sent: 3 }, broken: null, health: { ready: true, checks: {} } });
  });

  it('does not wait longer than 1.5 s for a section', async () => {
    jest.useFakeTimers();
    const { monitoring, reader } = setUp();
    monitoring.contribute({ snapshot: { name: 'hanging', read: () => new Promise<null>(() => undefined) } });
    const reading = reader.read();
    await jest.advanceTimersByTimeAsync(1500);
    expect((await reading).measured).toMatchObject({ hanging: null });
  });

  it('contains the other alerts if a module fails to determine its own', async () => {
    const { monitoring, reader } = setUp();
    const alerts = (): never => {
      throw new Error('a fault');
    };
    monitoring.contribute({ snapshot: { name: 'broken', read: () => null, alerts } });
    monitoring.contribute({
      snapshot: {
        name: 'mail',
        read: () => 15,
        alerts: (value) => [{ name: 'mail_age', title: 'The age', unit: 'ms', levels, value: value ?? 0 }],
      },
    });
    const { limited } = await reader.read();
    expect(limited).toMatchObject([{ name: 'mail_age', value: 15 }]);
  });

  it('contains the values with alert limits, without those that are off', async () => {
    const { monitoring, reader } = setUp();
    monitoring.contribute<{ oldestMs: number }>({
      snapshot: {
        name: 'mail',
        read: () => ({ oldestMs: 15 }),
        alerts: (mail) => [
          { name: 'mail_age', title: 'The age', unit: 'ms', levels, value: mail?.oldestMs },
          { name: 'mail_off', title: 'The other', unit: 'ms', levels: null, value: 99 },
        ],
      },
    });
    monitoring.contribute<{ share: number }>({
      snapshot: {
        name: 'broken',
        read: () => null,
        alerts: (broken) => [
          { name: 'share', title: 'The share', unit: 'ratio', worse: 'lower', levels, value: broken?.share },
        ],
      },
    });
    expect((await reader.read()).limited).toEqual([
      { name: 'mail_age', title: 'The age', unit: 'ms', worse: 'higher', levels, value: 15 },
      { name: 'share', title: 'The share', unit: 'ratio', worse: 'lower', levels, value: undefined },
    ]);
  });

  it.each([
    ['up', 0],
    ['degraded', 1],
    ['down', 2],
  ] as const)('compares a check that is %s and has an alert', async (status: HealthStatus, value) => {
    const { monitoring, reader } = setUp();
    monitoring.contribute({
      health: [
        { name: 'relay', kind: 'required', run: () => ({ status }), alertTitle: 'The relay' },
        { name: 'other', kind: 'required', run: () => ({ status }) },
      ],
    });
    expect((await reader.read()).limited).toMatchObject([
      { name: 'relay', title: 'The relay', unit: 'state', value, levels: { warning: 0, critical: 1 } },
    ]);
  });
});
