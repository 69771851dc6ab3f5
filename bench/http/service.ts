import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApiClient, asTenantKey } from '../../src/cli/index.js';
import { ServiceProcess } from '../../test/support/service-process.js';
import { cpuSeconds } from './cpu.js';

const thisBuild = join(import.meta.dirname, '..', '..');

/** What the benchmarks of the API set; everything else is as it comes. */
export const BENCH_SETTINGS = {
  NODE_ENV: 'production',
  PORT: '0',
  LOG_LEVEL: 'warn',
  // A load that does nothing but wait for answers sends more transcripts than are stored meanwhile.
  TRANSCRIPT_MAX_QUEUE_SIZE: '1000000',
} as const;

export interface BenchServiceOptions {
  /** Gets processor profiles when the service ends. */
  profileDir?: string | undefined;
  /** The `dist` folder of the build to run; this one without it. */
  build?: string | undefined;
  /** The node binary to run it with. */
  execPath?: string | undefined;
  /** Modules that are loaded before the service. */
  imports?: readonly string[];
}

/** The service as `npm start` runs it, in a process of its own on an empty directory, with one tenant. */
export class BenchService {
  private constructor(
    readonly process: ServiceProcess,
    private readonly dir: string,
    /** Of the tenant. */
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

  /** Processor time of the process so far, all its threads together, seconds; NaN where the system does not report it. */
  cpuSeconds(): Promise<number> {
    return cpuSeconds(this.process.pid ?? 0, 'process');
  }

  /** Ends the service as an operator would, and removes its directory. Returns what it printed. */
  async close(): Promise<string> {
    await this.process.kill('SIGTERM');
    await rm(this.dir, { recursive: true, force: true });
    return `${this.process.stdout}${this.process.stderr}`;
  }
}
