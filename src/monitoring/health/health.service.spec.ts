import { loadSettings } from '../../config/index.js';
import { judgeFreeSpace } from './checks/disk.check.js';
import { EventLoopWatch } from './event-loop-watch.js';
import type { HealthCheck, HealthStatus } from './health-check.js';
import { HealthRegistry } from './health-registry.js';
import { HealthService } from './health.service.js';

const settings = loadSettings({}).monitoring;

function setUp() {
  const registry = new HealthRegistry(settings);
  const loop = new EventLoopWatch();
  return { registry, loop, health: new HealthService(registry, loop, settings) };
}

describe('HealthService', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  it('ready tells each check by its name', async () => {
    const { registry, health } = setUp();
    registry.register({ name: 'database', kind: 'required', run: () => ({ status: 'up' }) });
    registry.register({ name: 'queues', kind: 'degrading', run: () => ({ status: 'down', reason: 'full' }) });
    expect(await health.report('ready')).toEqual({
      database: { status: 'up', durationMs: 0 },
      queues: { status: 'degraded', reason: 'full', durationMs: 0 },
    });
  });

  it('ready is down from the moment that a shutdown begins, and asks nothing any more; live is up', async () => {
    const { registry, health } = setUp();
    const run = jest.fn(() => ({ status: 'up' as const }));
    registry.register({ name: 'database', kind: 'required', run });
    health.beginShutdown();
    expect(await health.report('ready')).toMatchObject({ shutdown: { status: 'down' } });
    expect(run).not.toHaveBeenCalled();
    expect(await health.report('live')).toMatchObject({ process: { status: 'up' } });
  });

  it('ready is down when the shutdown begins while its checks run', async () => {
    const { registry, health } = setUp();
    registry.register({
      name: 'database',
      kind: 'required',
      run: () => {
        health.beginShutdown();
        return { status: 'up' };
      },
    });
    expect(await health.report('ready')).toMatchObject({ shutdown: { status: 'down' } });
  });

  it('startup is over for good once all of its checks were up', async () => {
    const { registry, health } = setUp();
    let status: HealthStatus = 'down';
    const run = jest.fn(() => ({ status }));
    registry.register({ name: 'models', kind: 'required', probe: 'startup', run });
    expect(await health.report('startup')).toMatchObject({ models: { status: 'down' } });
    status = 'up';
    jest.advanceTimersByTime(1000);
    expect(await health.report('startup')).toMatchObject({ models: { status: 'up' } });
    status = 'down';
    jest.advanceTimersByTime(1000);
    expect(await health.report('startup')).toMatchObject({ models: { status: 'up' } });
    expect(run).toHaveBeenCalledTimes(2);
  });

  it('live asks no check of any module', async () => {
    const { registry, health } = setUp();
    const run = jest.fn(() => ({ status: 'down' as const }));
    registry.register({ name: 'database', kind: 'required', run });
    registry.register({ name: 'database', kind: 'required', probe: 'startup', run });
    expect(await health.report('live')).toMatchObject({
      process: { status: 'up' },
      eventLoop: { status: 'up' },
    });
    expect(run).not.toHaveBeenCalled();
  });

  it('two checks of one name are refused', () => {
    const { registry } = setUp();
    const check: HealthCheck = { name: 'database', kind: 'required', run: () => ({ status: 'up' }) };
    registry.register(check);
    registry.register({ ...check, probe: 'startup' });
    expect(() => {
      registry.register(check);
    }).toThrow('named "database"');
  });
});

describe('the event loop', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  it('fails live when turn after turn is late, and not for a single one', async () => {
    const { loop, health } = setUp();
    let clock = 0;
    const now = jest.spyOn(performance, 'now').mockImplementation(() => clock);
    const tick = (delayMs: number): void => {
      clock += 500 + delayMs;
      jest.advanceTimersToNextTimer();
    };
    loop.onModuleInit();
    for (const delayMs of [0, 20_000, 0, 0]) tick(delayMs);
    expect(await health.report('live')).toMatchObject({ eventLoop: { status: 'up' } });
    for (const delayMs of [6000, 6000, 6000, 7000]) tick(delayMs);
    expect(await health.report('live')).toMatchObject({
      eventLoop: { status: 'down', details: { delayMs: 6000 } },
    });
    loop.onApplicationShutdown();
    expect(jest.getTimerCount()).toBe(0);
    now.mockRestore();
  });
});

describe('judgeFreeSpace', () => {
  const bounds = { minBytes: 500, criticalBytes: 60 };

  it.each([
    [500, 'up'],
    [499, 'degraded'],
    [60, 'degraded'],
    [59, 'down'],
    [0, 'down'],
  ] as const)('%d bytes left: %s', (free, status) => {
    expect(judgeFreeSpace(free, bounds)).toMatchObject({ status, details: { freeBytes: free } });
  });
});
