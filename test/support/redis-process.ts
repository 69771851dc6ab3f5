import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readdir, rm, stat, truncate } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** A port that nobody listened on a moment ago. */
export const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        if (typeof address === 'object' && address) resolve(address.port);
        else reject(new Error('no port was given'));
      });
    });
  });

export interface RedisProcessOptions {
  /** Keep an append-only file with this policy; unset: nothing outlives the process. */
  appendfsync?: 'always' | 'everysec' | 'no';
}

/** A redis-server of its own on a free port of 127.0.0.1, with its files in a temporary folder. */
export class RedisProcess {
  private child: ChildProcess | undefined;
  private gone: Promise<void> = Promise.resolve();

  private constructor(
    readonly port: number,
    private readonly dir: string,
    private readonly options: RedisProcessOptions,
  ) {}

  /** @throws Error when redis-server is not on the PATH or does not listen */
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

  /** Starts the server, after `kill` again on the same port and files; settles when it accepts connections. */
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
      const hear = (text: string): void => {
        output += text;
        if (output.includes('Ready to accept connections')) resolve();
      };
      child.stdout.setEncoding('utf8').on('data', hear);
      child.stderr.setEncoding('utf8').on('data', hear);
      child.once('error', reject);
      child.once('close', () => {
        reject(new Error(`redis-server ended before it listened:\n${output}`));
      });
    });
  }

  /** Sends the signal; for SIGKILL and SIGTERM waits for the end of the process. */
  async signal(signal: NodeJS.Signals): Promise<void> {
    this.child?.kill(signal);
    if (signal === 'SIGKILL' || signal === 'SIGTERM') await this.gone;
  }

  /**
   * Kills the server, and takes from its append-only files what was written in the last `ms`: a power cut takes that much where the
   * operating system held it and nothing synced it. Answers how many bytes that was.
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
