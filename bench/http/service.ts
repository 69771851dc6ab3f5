import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApiClient } from '../../scripts/replay/api-client.js';
import { asTenantKey } from '../../scripts/replay/api-shapes.js';
import { ServiceProcess } from '../../scripts/verify/service-process.js';

const src = join(import.meta.dirname, '..', '..', 'src');

/** What the benchmarks of the API set; everything else is as it comes. */
export const BENCH_SETTINGS = {
  NODE_ENV: 'production',
  PORT: '0',
  LOG_LEVEL: 'warn',
  // A load that does nothing but wait for answers sends more transcripts than are stored meanwhile.
  TRANSCRIPT_MAX_QUEUE_SIZE: '1000000',
} as const;

const TICKS_PER_SECOND = 100;

/** The service as `npm start` runs it, in a process of its own on an empty directory, with one tenant. */
export class BenchService {
  private constructor(
    private readonly process: ServiceProcess,
    private readonly dir: string,
    /** Of the tenant. */
    readonly api: ApiClient,
    readonly key: string,
  ) {}

  /** `profileDir` gets processor profiles when the service ends. */
  static async start(settings: Readonly<Record<string, string>>, profileDir?: string): Promise<BenchService> {
    const dir = await mkdtemp(join(tmpdir(), 'colloquy-bench-http-'));
    try {
      const process = await ServiceProcess.start({
        main: join(src, 'main.js'),
        cwd: dir,
        env: {
          ...BENCH_SETTINGS,
          DATA_DIR: join(dir, 'data'),
          ADMIN_API_KEY: `admin_${randomBytes(18).toString('base64url')}`,
          ...settings,
        },
        nodeOptions: [
          '--import',
          join(src, 'instrument.js'),
          ...(profileDir === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileDir}`]),
        ],
      });
      const admin = new ApiClient(process.url, process.adminKey);
      const key = await admin.call('POST', '/v1/tenants', asTenantKey, { id: 'bench', name: 'Bench' });
      return new BenchService(process, dir, new ApiClient(process.url, key), key);
    } catch (error) {
      await rm(dir, { recursive: true, force: true });
      throw error;
    }
  }

  get url(): string {
    return this.process.url;
  }

  /** Processor time of the process so far, all its threads together, seconds; NaN where the system does not tell. */
  async cpuSeconds(): Promise<number> {
    try {
      const stat = await readFile(`/proc/${this.process.pid ?? 0}/stat`, 'latin1');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
    } catch {
      return NaN;
    }
  }

  /** Ends the service as an operator would, and removes its directory. Answers what it printed. */
  async close(): Promise<string> {
    await this.process.kill('SIGTERM');
    await rm(this.dir, { recursive: true, force: true });
    return `${this.process.stdout}${this.process.stderr}`;
  }
}
