import { TerminusModule } from '@nestjs/terminus';
import { Test, type TestingModule } from '@nestjs/testing';
import type { HealthReport } from './health-check.js';
import { failedProbe, HealthProbes } from './health-probes.js';
import { HealthService } from './health.service.js';

const up: HealthReport = { process: { status: 'up', durationMs: 1, details: { uptimeSeconds: 7 } } };

describe('HealthProbes', () => {
  let module: TestingModule;
  let report: HealthReport;
  let probes: HealthProbes;

  beforeEach(async () => {
    report = up;
    module = await Test.createTestingModule({
      imports: [TerminusModule.forRoot({ logger: false })],
      providers: [
        HealthProbes,
        { provide: HealthService, useValue: { report: () => Promise.resolve(report) } },
      ],
    }).compile();
    await module.init();
    probes = module.get(HealthProbes);
  });
  afterEach(() => module.close());

  it('returns names and states, and figures on request', async () => {
    expect(await probes.run('live', false)).toEqual({ status: 'ok', checks: { process: { status: 'up' } } });
    expect(await probes.run('live', true)).toEqual({
      status: 'ok',
      checks: { process: { status: 'up', durationMs: 1, uptimeSeconds: 7 } },
    });
  });

  it('is degraded if one check is', async () => {
    report = { ...up, redis: { status: 'degraded', reason: 'away', durationMs: 1 } };
    expect(await probes.run('ready', false)).toEqual({
      status: 'degraded',
      checks: { process: { status: 'up' }, redis: { status: 'degraded' } },
    });
  });

  it('fails if one check is down, even if another is degraded', async () => {
    report = {
      redis: { status: 'degraded', durationMs: 1 },
      database: { status: 'down', reason: 'away', durationMs: 1 },
    };
    const error: unknown = await probes.run('ready', true).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(failedProbe(error)).toMatchObject({
      status: 'error',
      details: { database: { status: 'down', message: 'away' }, redis: { status: 'degraded' } },
    });
  });

  it('stays up while the application closes, because a worker that finishes its jobs must not be restarted', async () => {
    await module.close();
    expect(await probes.run('live', false)).toMatchObject({ status: 'ok' });
  });
});
