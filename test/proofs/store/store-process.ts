import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { ServiceProcess } from '../../support/service-process.js';

/** A store served by its own process, which can be killed and restarted on the same port. */
export class StoreProcess {
  private process: ServiceProcess | undefined;
  /** For each start, how long the store took to open in its process, ms. */
  readonly openedInMs: number[] = [];

  private constructor(
    /** Path of the built store-child.js. */
    private readonly main: string,
    private readonly dir: string,
    private readonly port: number,
  ) {}

  static async start(main: string, dir: string): Promise<StoreProcess> {
    const store = new StoreProcess(main, dir, await freePort());
    await store.open();
    return store;
  }

  get uri(): string {
    return this.process?.url ?? '';
  }

  /** The standard error output of the process. */
  get stderr(): string {
    return this.process?.stderr ?? '';
  }

  async open(): Promise<void> {
    this.process = await ServiceProcess.start({
      main: this.main,
      cwd: this.dir,
      env: {},
      args: [this.dir, String(this.port)],
    });
    this.openedInMs.push(this.process.openedInMs ?? NaN);
  }

  /** Sends SIGKILL and resolves when the process has exited. */
  async kill(): Promise<void> {
    await this.process?.kill('SIGKILL');
  }

  /** SIGSTOP suspends the process with its connections open; SIGCONT resumes it. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    const pid = this.process?.pid;
    if (pid !== undefined) process.kill(pid, signal);
  }

  /**
   * Resident memory in MiB: private memory, and mapped files. Undefined where the operating system does not
   * report it.
   */
  async memory(): Promise<{ own: number; mapped: number } | undefined> {
    try {
      const status = await readFile(`/proc/${this.process?.pid ?? 0}/status`, 'utf8');
      const megabytes = (name: string): number =>
        Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? NaN) / 1024;
      return { own: megabytes('RssAnon'), mapped: megabytes('RssFile') + megabytes('RssShmem') };
    } catch {
      return undefined;
    }
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
