import { tmpdir } from 'node:os';
import { loadSettings } from '../../config/index.js';
import type { HealthResult } from '../health/health-check.js';
import { Monitoring } from '../monitoring.js';
import { DiskMonitoring, checkFreeSpace } from './disk-monitoring.js';

function monitoringWith(env: Readonly<Record<string, string>>): Monitoring {
  const { service, monitoring: settings, database } = loadSettings(env);
  const monitoring = new Monitoring(settings);
  new DiskMonitoring(monitoring, service, settings, database);
  return monitoring;
}

describe('the disk check', () => {
  const missing = '/no/such/folder';
  const checkWith = async (env: Readonly<Record<string, string>>): Promise<HealthResult | undefined> =>
    (await monitoringWith(env).check('ready'))['disk'];

  it('does not require DATA_DIR with a MongoDB server', async () => {
    const env = { DATA_DIR: missing, MONGODB_URI: 'mongodb://127.0.0.1:27017/colloquy' };
    expect(await checkWith(env)).toMatchObject({ status: 'up' });
  });

  it('fails if the DATA_DIR of the embedded store is missing', async () => {
    expect(await checkWith({ DATA_DIR: missing })).toMatchObject({
      status: 'down',
      reason: expect.stringContaining('ENOENT') as string,
    });
  });
});

describe('the disk in the snapshot', () => {
  const [disk] = monitoringWith({ DATA_DIR: tmpdir() }).sections;

  it('contains the free and the total space', async () => {
    expect(await disk?.read()).toEqual({
      freeBytes: expect.any(Number) as number,
      totalBytes: expect.any(Number) as number,
      freeRatio: expect.any(Number) as number,
    });
  });

  it('has alert limits for the free space, without a value if it cannot be read', () => {
    expect(disk?.alerts?.({ freeBytes: 123 })).toMatchObject([
      {
        name: 'disk_free',
        value: 123,
        worse: 'lower',
        levels: { warning: 536_870_912, critical: 67_108_864 },
      },
    ]);
    expect(disk?.alerts?.(null)).toMatchObject([{ name: 'disk_free', value: undefined }]);
  });
});

describe('checkFreeSpace', () => {
  const bounds = { minBytes: 500, criticalBytes: 60 };

  it.each([
    [500, 'up'],
    [499, 'degraded'],
    [60, 'degraded'],
    [59, 'down'],
    [0, 'down'],
  ] as const)('%d bytes left: %s', (free, status) => {
    expect(checkFreeSpace(free, bounds)).toMatchObject({ status, details: { freeBytes: free } });
  });
});
