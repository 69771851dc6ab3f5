import { join } from 'node:path';
import { ApiClient, asTenantKey } from '../../../src/cli/index.js';
import { freePort } from '../../support/redis-process.js';
import { ServiceProcess } from '../../support/service-process.js';

export type Role = 'api' | 'worker';

export interface ClusterOptions {
  /** The built dist/src/main.js. */
  main: string;
  /** The built dist/src/worker.js, when another process is to claim transcripts and jobs beside the API. */
  worker?: string | undefined;
  /** Working directory; DATA_DIR is in it. */
  cwd: string;
  redisUrl?: string | undefined;
}

/** The API, and perhaps a worker, on one DATA_DIR and port through all their kills. */
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

  /** A client of a tenant of its own. */
  async createTenant(id: string): Promise<ApiClient> {
    const api = this.running.get('api');
    if (!api) throw new Error('The API does not run.');
    const key = await new ApiClient(api.url, api.adminKey).call('POST', '/v1/tenants', asTenantKey, {
      id,
      name: id,
    });
    return new ApiClient(api.url, key);
  }

  /** Starts the processes that do not run, the API first. */
  async startMissing(): Promise<void> {
    for (const role of this.roles) {
      if (!this.running.has(role)) this.running.set(role, await this.startOne(role));
    }
  }

  /** Ends the processes of these roles, all of them at once. */
  async kill(roles: readonly Role[], signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await Promise.all(
      roles.map(async (role) => {
        const service = this.running.get(role);
        this.running.delete(role);
        if (!service) return;
        this.ended.push(service);
        const exit = await service.kill(signal);
        if (signal === 'SIGTERM' && exit.code !== 0)
          throw new Error(`The ${role} ended with ${exit.signal ?? `code ${String(exit.code)}`} on SIGTERM.`);
      }),
    );
  }

  /** A shutdown in order; the worker first, as it may use the API's store. */
  async stop(): Promise<void> {
    await this.kill(['worker'], 'SIGTERM');
    await this.kill(['api'], 'SIGTERM');
  }

  /** Lines of all logs that hold `text`. */
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
