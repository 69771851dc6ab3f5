import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApiClient, asTenantKey } from '../../src/cli/index.js';
import { ServiceProcess } from '../../test/support/service-process.js';
import { httpRequest, type LoadResult, runLoad } from '../../test/support/http-load.js';
import { type Percentiles, percentilesOf } from '../../test/support/percentiles.js';
import type { Figures } from './server-figures.js';
import type { Texts } from './texts.js';

export const ENQUEUE = '/v1/transcripts';
export const NAIVE = '/naive/transcripts';

export type StoreRoute = typeof ENQUEUE | typeof NAIVE;

export interface Amount {
  count: number;
  clients: number;
  /**
   * Requests per second of all clients together. Without it, each client sends its next request as soon as it
   * has a response.
   */
  perSecond?: number | undefined;
}

/** The result of one run of requests. */
export interface Run {
  amount: Amount;
  /** From the arrival of a request in the service to its response. */
  server: Percentiles;
  client: Percentiles;
  answeredPerSecond: number;
  /** From the first request to the last batch. For the naive approach the same as `answeredPerSecond`. */
  storedPerSecond: number;
  figures: Figures;
}

const children = import.meta.dirname;

/** Starts the Ollama stub; `url` is its address. */
export const startOllamaStub = (delayMs: number): Promise<ServiceProcess> =>
  ServiceProcess.start({
    main: join(children, 'ollama-stub.js'),
    cwd: tmpdir(),
    env: {},
    args: [String(delayMs)],
  });

/** The service in a separate process, on its own empty directory. */
export class BenchServer {
  private keys: string[] = [];
  private profiles = 0;

  private constructor(
    private readonly process: ServiceProcess,
    private readonly dir: string,
    private readonly texts: Texts,
    private readonly profileDir: string | undefined,
  ) {}

  static async start(options: {
    settings: Readonly<Record<string, string>>;
    texts: Texts;
    tenants: number;
    /** Directory for CPU profiles of each run; without it no profiles are written. */
    profileDir?: string | undefined;
  }): Promise<BenchServer> {
    const dir = await mkdtemp(join(tmpdir(), 'colloquy-bench-storage-'));
    const settings = { DATA_DIR: dir, LOG_LEVEL: 'silent', ...options.settings };
    const main = join(children, 'server.js');
    try {
      const process = await ServiceProcess.start({
        main,
        cwd: dir,
        env: {},
        args: [JSON.stringify(settings)],
      });
      const server = new BenchServer(process, dir, options.texts, options.profileDir);
      const admin = new ApiClient(process.url, process.adminKey);
      for (let n = 0; n < options.tenants; n++)
        server.keys.push(
          await admin.call('POST', '/v1/tenants', asTenantKey, { id: `tenant-${n}`, name: `Tenant ${n}` }),
        );
      return server;
    } catch (error) {
      await rm(dir, { recursive: true, force: true });
      throw error;
    }
  }

  /** Sends distinct transcripts and waits until all are stored. */
  async store(path: StoreRoute, amount: Amount, tag: string): Promise<Run> {
    const { count } = amount;
    const requests = Array.from({ length: count }, (_, n) =>
      httpRequest('POST', path, this.key(n), {
        participantId: `participant-${n % 500}`,
        channel: n % 3 === 0 ? 'whatsapp' : 'web',
        transcript: this.texts.transcript(tag, n),
      }),
    );
    const status = path === ENQUEUE ? 202 : 201;
    const { load, figures } = await this.measured(requests, { ...amount, status }, () =>
      this.figures(path === ENQUEUE ? `stored/${count}` : 'figures'),
    );
    const answeredPerSecond = count / load.seconds;
    return {
      ...this.run(amount, `POST ${path}`, load, figures),
      storedPerSecond: path === ENQUEUE ? count / figures.storedInSeconds : answeredPerSecond,
    };
  }

  /** Sends read requests of one kind. */
  async ask(
    route: string,
    amount: Amount,
    requestOf: (n: number, key: string) => Buffer,
  ): Promise<Run & { bodies: string[] }> {
    const requests = Array.from({ length: amount.count }, (_, n) => requestOf(n, this.key(n)));
    const { load, figures } = await this.measured(requests, { ...amount, status: 200 }, () =>
      this.figures('figures'),
    );
    return { ...this.run(amount, route, load, figures), bodies: load.bodies };
  }

  /** Kills the process and removes its directory. */
  async close(): Promise<void> {
    await this.process.kill('SIGKILL');
    await rm(this.dir, { recursive: true, force: true });
  }

  get tenants(): number {
    return this.keys.length;
  }

  key(n: number): string {
    return this.keys[n % this.keys.length] ?? '';
  }

  private run(amount: Amount, route: string, load: LoadResult, figures: Figures): Run {
    const perSecond = amount.count / load.seconds;
    return {
      amount,
      server: figures.routes[route] ?? percentilesOf([]),
      client: percentilesOf(load.times),
      answeredPerSecond: perSecond,
      storedPerSecond: perSecond,
      figures,
    };
  }

  private async measured(
    requests: readonly Buffer[],
    load: Amount & { status: number },
    figuresOf: () => Promise<Figures>,
  ): Promise<{ load: LoadResult; figures: Figures }> {
    await this.control('POST', 'reset');
    if (this.profileDir !== undefined) await this.control('POST', 'profile');
    const result = await runLoad(this.process.url, { requests, ...load });
    const figures = await figuresOf();
    if (this.profileDir !== undefined) {
      const file = join(this.profileDir, `storage-${this.process.pid ?? 0}-${++this.profiles}.cpuprofile`);
      await this.control('POST', `profile-end?file=${encodeURIComponent(file)}`);
    }
    return { load: result, figures };
  }

  private figures(path: string): Promise<Figures> {
    return this.control('GET', path) as Promise<Figures>;
  }

  private async control(method: string, path: string): Promise<unknown> {
    const response = await fetch(new URL(`/control/${path}`, this.process.url), { method });
    if (!response.ok) throw new Error(`${path} returned ${response.status}: ${await response.text()}`);
    return response.json();
  }
}
