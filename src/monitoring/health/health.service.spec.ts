import { loadSettings } from '../../config/index.js';
import { Monitoring } from '../monitoring.js';
import { EventLoopWatch } from './event-loop-watch.js';
import type { HealthCheck, HealthStatus } from './health-check.js';
import { HealthService } from './health.service.js';

const settings = loadSettings({}).monitoring;

function setUp() {
  const monitoring = new Monitoring(settings);
  const loop = new EventLoopWatch();
  const add = (check: HealthCheck): void => {
    monitoring.contribute({ health: [check] });
  };
  return { add, loop, health: new HealthService(monitoring, loop, settings) };
}

describe('HealthService', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  it('ready reports each check by name', async () => {
    const { add, health } = setUp();
    add({ name: 'database', kind: 'required', run: () => ({ status: 'up' }) });
    add({ name: 'queues', kind: 'degrading', run: () => ({ status: 'down', reason: 'full' }) });
    expect(await health.report('ready')).toEqual({
      database: { status: 'up', durationMs: 0 },
      queues: { status: 'degraded', reason: 'full', durationMs: 0 },
    });
  });

  it('ready is down and runs no checks once a shutdown has begun; live is up', async () => {
    const { add, health } = setUp();
    const run = jest.fn(() => ({ status: 'up' as const }));
    add({ name: 'database', kind: 'required', run });
    health.beginShutdown();
    expect(await health.report('ready')).toMatchObject({ shutdown: { status: 'down' } });
    expect(run).not.toHaveBeenCalled();
    expect(await health.report('live')).toMatchObject({ process: { status: 'up' } });
  });

  it('ready is down if the shutdown begins while its checks run', async () => {
    const { add, health } = setUp();
    add({
      name: 'database',
      kind: 'required',
      run: () => {
        health.beginShutdown();
        return { status: 'up' };
      },
    });
    expect(await health.report('ready')).toMatchObject({ shutdown: { status: 'down' } });
  });

  it('startup stays up once all of its checks have been up', async () => {
    const { add, health } = setUp();
    let status: HealthStatus = 'down';
    const run = jest.fn(() => ({ status }));
    add({ name: 'models', kind: 'required', probe: 'startup', run });
    expect(await health.report('startup')).toMatchObject({ models: { status: 'down' } });
    status = 'up';
    jest.advanceTimersByTime(1000);
    expect(await health.report('startup')).toMatchObject({ models: { status: 'up' } });
    status = 'down';
    jest.advanceTimersByTime(1000);
    expect(await health.report('startup')).toMatchObject({ models: { status: 'up' } });
    expect(run).toHaveBeenCalledTimes(2);
  });

  it('live runs no checks of modules', async () => {
    const { add, health } = setUp();
    const run = jest.fn(() => ({ status: 'down' as const }));
    add({ name: 'database', kind: 'required', run });
    add({ name: 'database', kind: 'required', probe: 'startup', run });
    expect(await health.report('live')).toMatchObject({
      process: { status: 'up' },
      eventLoop: { status: 'up' },
    });
    expect(run).not.toHaveBeenCalled();
  });

  it('two checks with the same name are rejected', () => {
    const { add } = setUp();
    const check: HealthCheck = { name: 'database', kind: 'required', run: () => ({ status: 'up' }) };
    add(check);
    add({ ...check, probe: 'startup' });
    expect(() => {
      add(check);
    }).toThrow('a health check named "database"');
  });
});

describe('the event loop', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  it('fails live if several consecutive turns are late, but not for a single one', async () => {
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
