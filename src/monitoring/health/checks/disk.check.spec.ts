import { loadSettings } from '../../../config/index.js';
import type { HealthCheck } from '../health-check.js';
import type { HealthRegistry } from '../health-registry.js';
import { DiskHealth } from './disk.check.js';

function checkWith(env: Readonly<Record<string, string>>): HealthCheck {
  const checks: HealthCheck[] = [];
  const registry = { register: (check: HealthCheck) => checks.push(check) } as unknown as HealthRegistry;
  const { service, monitoring, database } = loadSettings(env);
  new DiskHealth(registry, service, monitoring, database).onModuleInit();
  const [check] = checks;
  if (!check) throw new Error('no check was registered');
  return check;
}

describe('the check of the disk', () => {
  const missing = '/no/such/folder';

  it('needs no DATA_DIR beside a MongoDB', async () => {
    const check = checkWith({ DATA_DIR: missing, MONGODB_URI: 'mongodb://127.0.0.1:27017/colloquy' });
    expect(await check.run()).toEqual({ status: 'up' });
  });

  it('fails without the DATA_DIR of an embedded store', async () => {
    await expect(Promise.resolve(checkWith({ DATA_DIR: missing }).run())).rejects.toThrow('ENOENT');
  });
});
