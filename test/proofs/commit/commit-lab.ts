import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApiClient, asCreated, asTenantKey } from '../../../src/cli/index.js';
import { ServiceProcess } from '../../support/service-process.js';

/** One or more API processes on one embedded store, with one tenant. */
export class CommitLab {
  readonly services: ServiceProcess[] = [];
  key = '';

  private constructor(
    private readonly cwd: string,
    private readonly main: string,
  ) {}

  /** @param main path of the built dist/src/main.js */
  static async start(main: string): Promise<CommitLab> {
    const lab = new CommitLab(await mkdtemp(join(tmpdir(), 'colloquy-commit-')), main);
    try {
      const { url, adminKey } = await lab.addProcess();
      const tenant = { id: 'commit', name: 'Group commit' };
      lab.key = await new ApiClient(url, adminKey).call('POST', '/v1/tenants', asTenantKey, tenant);
      return lab;
    } catch (error) {
      await lab.remove();
      throw error;
    }
  }

  async addProcess(): Promise<ServiceProcess> {
    const service = await ServiceProcess.start({
      main: this.main,
      cwd: this.cwd,
      env: {
        NODE_ENV: 'development',
        PORT: '0',
        LOG_LEVEL: 'error',
        DATA_DIR: join(this.cwd, 'data'),
        ADMIN_API_KEY: this.services[0]?.adminKey ?? `admin_${randomBytes(18).toString('base64url')}`,
      },
    });
    this.services.push(service);
    return service;
  }

  get api(): ApiClient {
    return new ApiClient(this.services[0]?.url ?? '', this.key);
  }

  async conversations(count: number, prefix: string): Promise<string[]> {
    const names = Array.from({ length: count }, (_, index) => `${prefix}-${index}`);
    const created = await Promise.all(
      names.map((participantId) =>
        this.api.call('POST', '/v1/conversations', asCreated, { participantId, channel: 'web' }),
      ),
    );
    return created.map(({ id }) => id);
  }

  /** The value of a group commit metric in each process. */
  counters(name: string): Promise<number[]> {
    const line = new RegExp(`^colloquy_database_group_commit_${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm');
    return Promise.all(
      this.services.map(({ url, adminKey }) =>
        new ApiClient(url, adminKey).call('GET', '/metrics', (text) => {
          const value = typeof text === 'string' ? line.exec(text)?.[1] : undefined;
          if (value === undefined) throw new Error(`/metrics has no ${name}`);
          return Number(value);
        }),
      ),
    );
  }

  /** Stops the processes and deletes their data. The first process hosts the store, so it is stopped last. */
  async remove(): Promise<void> {
    for (const service of this.services.toReversed()) await service.kill('SIGKILL');
    await rm(this.cwd, { recursive: true, force: true });
  }
}
