import { join } from 'node:path';
import { ApiClient, asTenantKey } from '../../../src/cli/index.js';
import { freePort } from '../../support/redis-process.js';
import { ServiceProcess } from '../../support/service-process.js';

export type Role = 'api' | 'worker';

export interface ClusterOptions {
  /** Path of the built dist/src/main.js. */
  main: string;
  /** Path of the built dist/src/worker.js. If set, a worker process also claims transcripts and jobs. */
  worker?: string | undefined;
  /** Working directory, which contains DATA_DIR. */
  cwd: string;
  redisUrl?: string | undefined;
}

/** The API and an optional worker that keep the same DATA_DIR and port across restarts. */
export class Cluster {
  private readonly running = new Map<Role, ServiceProcess>();
  private readonly ended: ServiceProcess[] = [];

  private constructor(
    private readonly options: ClusterOptions,
    private readonly port: number,
  ) {}

  static async start(options: ClusterOptions): Promise<Cluster> {
    const cluster = new Cluster(options, await freePort());
    await cluster.startMissing();
    return cluster;
  }

  get roles(): Role[] {
    return this.options.worker === undefined ? ['api'] : ['api', 'worker'];
  }

  /** Creates a tenant and returns a client for it. */
  async createTenant(id: string): Promise<ApiClient> {
    const api = this.running.get('api');
    if (!api) throw new Error('The API does not run.');
    const key = await new ApiClient(api.url, api.adminKey).call('POST', '/v1/tenants', asTenantKey, {
      id,
      name: id,
    });
    return new ApiClient(api.url, key);
  }

  /** Starts the processes that are not running, the API first. */
  async startMissing(): Promise<void> {
    for (const role of this.roles) {
      if (!this.running.has(role)) this.running.set(role, await this.startOne(role));
    }
  }

  /** Kills the processes with these roles at the same time. */
  async kill(roles: readonly Role[], signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await Promise.all(
      roles.map(async (role) => {
        const service = this.running.get(role);
        this.running.delete(role);
        if (!service) return;
        this.ended.push(service);
        const exit = await service.kill(signal);
        if (signal === 'SIGTERM' && exit.code !== 0)
          throw new Error(
            `The ${role} exited with ${exit.signal ?? `code ${String(exit.code)}`} on SIGTERM.`,
          );
      }),
    );
  }

  /** Stops the processes gracefully, the worker first because it may use the API's store. */
  async stop(): Promise<void> {
    await this.kill(['worker'], 'SIGTERM');
    await this.kill(['api'], 'SIGTERM');
  }

  /** Lines of all logs that contain `text`. */
  logLines(text = ''): string[] {
    return [...this.ended, ...this.running.values()].flatMap(({ stdout, stderr }) =>
      `${stdout}\n${stderr}`.split('\n').filter((line) => line !== '' && line.includes(text)),
    );
  }

  private startOne(role: Role): Promise<ServiceProcess> {
    const { main, worker = '', cwd, redisUrl } = this.options;
    return ServiceProcess.start({
      main: role === 'api' ? main : worker,
      cwd,
      env: {
        NODE_ENV: 'production',
        HOST: '127.0.0.1',
        PORT: String(this.port),
        WORKER_PORT: '0',
        LOG_LEVEL: 'warn',
        DATA_DIR: join(cwd, 'data'),
        ADMIN_API_KEY: 'only-for-the-verification-of-transcripts',
        TRANSCRIPT_BATCH_TIMEOUT_MS: '500',
        ...(redisUrl !== undefined && { REDIS_URL: redisUrl }),
      },
    });
  }
}
