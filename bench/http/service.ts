import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApiClient, asTenantKey } from '../../src/cli/index.js';
import { ServiceProcess } from '../../test/support/service-process.js';
import { cpuSeconds } from './cpu.js';

const thisBuild = join(import.meta.dirname, '..', '..');

/** Settings for the API benchmarks; all others have their defaults. */
export const BENCH_SETTINGS = {
  NODE_ENV: 'production',
  PORT: '0',
  LOG_LEVEL: 'warn',
  METRICS: 'public',
  // The load sends transcripts faster than they can be stored.
  TRANSCRIPT_MAX_QUEUE_SIZE: '1000000',
} as const;

export interface BenchServiceOptions {
  /** Directory to which CPU profiles are written when the service stops. */
  profileDir?: string | undefined;
  /** The `dist` folder of the build to run; defaults to this one. */
  build?: string | undefined;
  /** The node binary that runs it. */
  execPath?: string | undefined;
  /** Modules that are preloaded. */
  imports?: readonly string[];
}

/** The service as run by `npm start`, in a separate process on an empty directory, with one tenant. */
export class BenchService {
  private constructor(
    readonly process: ServiceProcess,
    private readonly dir: string,
    /** A client with the tenant's key. */
    readonly api: ApiClient,
    readonly key: string,
  ) {}

  static async start(
    settings: Readonly<Record<string, string>>,
    { profileDir, build = thisBuild, execPath, imports = [] }: BenchServiceOptions = {},
  ): Promise<BenchService> {
    const dir = await mkdtemp(join(tmpdir(), 'colloquy-bench-http-'));
    let process: ServiceProcess | undefined;
    try {
      process = await ServiceProcess.start({
        main: join(build, 'src', 'main.js'),
        cwd: dir,
        env: {
          ...BENCH_SETTINGS,
          DATA_DIR: join(dir, 'data'),
          ADMIN_API_KEY: `admin_${randomBytes(18).toString('base64url')}`,
          ...settings,
        },
        nodeOptions: [
          ...[...imports, join(build, 'src', 'instrument.js')].flatMap((path) => ['--import', path]),
          ...(profileDir === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileDir}`]),
        ],
        execPath,
      });
      const admin = new ApiClient(process.url, process.adminKey);
      const key = await admin.call('POST', '/v1/tenants', asTenantKey, { id: 'bench', name: 'Bench' });
      return new BenchService(process, dir, new ApiClient(process.url, key), key);
    } catch (error) {
      await process?.kill('SIGKILL');
      await rm(dir, { recursive: true, force: true });
      throw error;
    }
  }

  get url(): string {
    return this.process.url;
  }

  /**
   * CPU time used by all threads of the process so far, in seconds; NaN when the system does not report it.
   */
  cpuSeconds(): Promise<number> {
    return cpuSeconds(this.process.pid ?? 0, 'process');
  }

  /** Shuts the service down with SIGTERM and removes its directory. Returns what it printed. */
  async close(): Promise<string> {
    await this.process.kill('SIGTERM');
    await rm(this.dir, { recursive: true, force: true });
    return `${this.process.stdout}${this.process.stderr}`;
  }
}
