import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readdir, rm, stat, truncate } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** Returns a port that was free at the time of the call. */
export const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        if (typeof address === 'object' && address) resolve(address.port);
        else reject(new Error('no port was assigned'));
      });
    });
  });

export interface RedisProcessOptions {
  /** Fsync policy of the append-only file. If unset, no data survives the process. */
  appendfsync?: 'always' | 'everysec' | 'no';
}

/** A redis-server process on a free port of 127.0.0.1, with its files in a temporary folder. */
export class RedisProcess {
  private child: ChildProcess | undefined;
  private gone: Promise<void> = Promise.resolve();

  private constructor(
    readonly port: number,
    private readonly dir: string,
    private readonly options: RedisProcessOptions,
  ) {}

  /** @throws Error if redis-server is not on the PATH or does not start listening */
  static async start(options: RedisProcessOptions = {}): Promise<RedisProcess> {
    const dir = await mkdtemp(join(tmpdir(), 'colloquy-redis-'));
    const server = new RedisProcess(await freePort(), dir, options);
    try {
      await server.restart();
    } catch (error) {
      await server.remove();
      throw error;
    }
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  get pid(): number | undefined {
    return this.child?.pid;
  }

  /**
   * Starts the server. After `kill`, restarts it with the same port and files. Settles when it accepts
   * connections.
   */
  async restart(): Promise<void> {
    const { appendfsync } = this.options;
    const child = spawn(
      'redis-server',
      [
        ...['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.dir, '--save', ''],
        ...(appendfsync ? ['--appendonly', 'yes', '--appendfsync', appendfsync] : []),
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    this.child = child;
    let output = '';
    this.gone = new Promise((resolve) => {
      child.once('error', () => {
        resolve();
      });
      child.once('close', () => {
        resolve();
      });
    });
    await new Promise<void>((resolve, reject) => {
      const onOutput = (text: string): void => {
        output += text;
        if (output.includes('Ready to accept connections')) resolve();
      };
      child.stdout.setEncoding('utf8').on('data', onOutput);
      child.stderr.setEncoding('utf8').on('data', onOutput);
      child.once('error', reject);
      child.once('close', () => {
        reject(new Error(`redis-server exited before it listened:\n${output}`));
      });
    });
  }

  /** Sends the signal. For SIGKILL and SIGTERM, waits until the process has exited. */
  async signal(signal: NodeJS.Signals): Promise<void> {
    this.child?.kill(signal);
    if (signal === 'SIGKILL' || signal === 'SIGTERM') await this.gone;
  }

  /**
   * Kills the server and removes the writes of the last `ms` milliseconds from its append-only files, as a
   * power failure does with writes that the operating system has not yet synced to disk. Returns the number
   * of bytes removed.
   */
  async cutPower(ms: number): Promise<number> {
    const before = await this.appendedSizes();
    await delay(ms);
    await this.signal('SIGKILL');
    let lost = 0;
    for (const [file, size] of await this.appendedSizes()) {
      const kept = before.get(file) ?? 0;
      lost += Math.max(0, size - kept);
      if (size > kept) await truncate(file, kept);
    }
    return lost;
  }

  private async appendedSizes(): Promise<Map<string, number>> {
    const names = await readdir(this.dir, { recursive: true });
    const files = names.filter((name) => name.endsWith('.incr.aof')).map((name) => join(this.dir, name));
    return new Map(await Promise.all(files.map(async (file) => [file, (await stat(file)).size] as const)));
  }

  /** Kills the server and deletes its files. */
  async remove(): Promise<void> {
    this.child?.kill('SIGKILL');
    await this.gone;
    await rm(this.dir, { recursive: true, force: true });
  }
}
