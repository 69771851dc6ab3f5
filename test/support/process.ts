import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { ServiceProcess } from './service-process.js';

export { ServiceProcess, ServiceStartError } from './service-process.js';

/** The working directory of the services of one suite, which contains their DATA_DIR. */
export interface ServiceFolder {
  cwd: string;
  dataDir: string;
  /** Starts the built service on the DATA_DIR of this folder. Several services may run at the same time. */
  start(
    settings?: Readonly<Record<string, string>>,
    nodeOptions?: readonly string[],
  ): Promise<ServiceProcess>;
  /** Kills the services that are still running and deletes the folder. */
  remove(): Promise<void>;
}

/** The services run the build in `dist`, which `npm test` creates first. */
export const builtEntry = (name: string): string =>
  resolve(process.env['COLLOQUY_TEST_DIST'] ?? 'dist', 'src', name);

export async function createServiceFolder(entry = 'main.js'): Promise<ServiceFolder> {
  const cwd = await mkdtemp(join(tmpdir(), 'colloquy-e2e-'));
  const dataDir = join(cwd, 'data');
  const started: ServiceProcess[] = [];
  return {
    cwd,
    dataDir,
    async start(settings = {}, nodeOptions = []) {
      const env = {
        NODE_ENV: 'development',
        PORT: '0',
        WORKER_PORT: '0',
        LOG_LEVEL: 'warn',
        DATA_DIR: dataDir,
      };
      const service = await ServiceProcess.start({
        main: builtEntry(entry),
        cwd,
        env: { ...env, ...settings },
        nodeOptions,
      });
      started.push(service);
      return service;
    },
    async remove() {
      await Promise.all(started.map((service) => service.kill('SIGKILL')));
      await rm(cwd, { recursive: true, force: true });
    },
  };
}
