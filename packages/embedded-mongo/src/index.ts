import { existsSync, realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { readOwner } from './engine/owner.js';
import { isListening, mayListen } from './server/endpoint-probe.js';
import type { StoreServer } from './server/store-server.js';
import { hasWorkerFile, startInWorker } from './server/worker-host.js';

export interface EmbeddedMongoOptions {
  /** Directory of the store. Created if it does not exist. Only this user can use it and the files in it. */
  dir: string;
  /**
   * A fixed TCP port for tools and other processes, or 0 for any free port. Without it, the store listens on
   * no port, only on a unix socket (on Windows, which has none, on a free port of 127.0.0.1).
   */
  port?: number;
  /** Address to listen on, by default `127.0.0.1`. There is no authentication, so use a loopback address. */
  host?: string;
  /**
   * Path of the unix socket, by default `mongodb.sock` in `dir`, or in a directory of the temporary folder if
   * that path is too long for a socket or contains "%". Only this user can connect.
   */
  socketPath?: string;
  log?: (level: 'info' | 'warn' | 'error', message: string, details?: object) => void;
  /** Called if the store's thread ends unexpectedly after opening. Without it, the error is logged. */
  onError?: (error: Error) => void;
  /**
   * Serve on this thread rather than in a worker. By default only if there is no compiled worker, as under
   * jest.
   */
  inProcess?: boolean;
  /** Returns epoch milliseconds. For tests with `inProcess` only. */
  now?: () => number;
}

const attachTimeoutMs = 10_000;

/**
 * The stores that this process serves, by their real path. LMDB forbids a process to open a store twice, also in
 * two threads, because closing one would release the locks of the other.
 */
const served = new Map<string, StoreServer>();

/**
 * A MongoDB-compatible store in a directory, served on a local socket to the official driver, Mongoose and
 * mongosh. One process owns a directory. Other processes that open it connect to the owner.
 */
export class EmbeddedMongo {
  private constructor(
    /** The URI to connect to. */
    readonly uri: string,
    /** True if another process owns the store. `close` then does nothing. */
    readonly attached: boolean,
    /** The owner's process id. */
    readonly pid: number,
    private readonly server: StoreServer | undefined,
  ) {}

  /**
   * Opens the store, or attaches to the process that has it open. Throws if the directory or port cannot be
   * used.
   */
  static async open(options: EmbeddedMongoOptions): Promise<EmbeddedMongo> {
    const dir = resolve(options.dir);
    for (let attempt = 1; ; attempt++) {
      const owner = await liveOwner(dir);
      if (owner) return new EmbeddedMongo(owner.uri, true, owner.pid, undefined);
      try {
        const server = await start({ ...options, dir });
        served.set(realpathSync(dir), server);
        return new EmbeddedMongo(server.uri, false, process.pid, server);
      } catch (error) {
        // Another process opened the store after the check.
        if (!isStoreInUse(error) || attempt === 3) throw error;
      }
    }
  }

  /**
   * Copies a consistent snapshot of the store, while it is in use, to a directory that is empty or does not
   * exist. The copy can be opened like any store. Throws if this process is only attached, since only the
   * owner can back up.
   */
  async backup(dir: string): Promise<void> {
    if (!this.server)
      throw new Error(`the store is owned by process ${this.pid}, and only that process can back it up`);
    await this.server.backup(resolve(dir));
  }

  /**
   * Copies a consistent snapshot of the store in `from` to `to`, an empty or missing directory. Works in any
   * process, whichever has the store open, or none. The copy is compacted: it contains no deleted documents.
   * It is not flushed to disk.
   */
  static async copy(from: string, to: string): Promise<void> {
    const server = existsSync(from) ? served.get(realpathSync(from)) : undefined;
    if (server) return server.copy(resolve(to));
    const { copyStore } = await import('./engine/copy-store.js');
    return copyStore(resolve(from), resolve(to));
  }

  /** Waits for running commands, flushes and closes the store. */
  async close(): Promise<void> {
    for (const [dir, server] of served) if (server === this.server) served.delete(dir);
    await this.server?.close();
  }
}

async function start(options: EmbeddedMongoOptions): Promise<StoreServer> {
  const { dir, port, host, socketPath, now } = options;
  const log = options.log ?? ((): void => undefined);
  const settings = { dir, port, host, socketPath };
  if (options.inProcess ?? !hasWorkerFile()) {
    // With a worker, this thread does not need the engine.
    const { startStoreServer } = await import('./server/store-server.js');
    return startStoreServer(settings, log, now);
  }
  if (now) throw new Error('the option now requires inProcess: true');
  const onError =
    options.onError ?? ((error: Error): void => log('error', `the embedded store failed: ${error.message}`));
  return startInWorker(settings, log, onError);
}

const isStoreInUse = (error: unknown): boolean => error instanceof Error && error.name === 'StoreInUse';

/** Finds the process that has the store open and accepts connections. Waits for one that is starting. */
async function liveOwner(dir: string): Promise<{ pid: number; uri: string } | undefined> {
  const until = Date.now() + attachTimeoutMs;
  for (;;) {
    const owner = await readOwner(dir, mayListen);
    if (!owner) return undefined;
    if (owner.endpoint !== undefined && (await isListening(owner.endpoint)))
      return { pid: owner.pid, uri: owner.endpoint };
    if (Date.now() > until) {
      throw new Error(`process ${owner.pid} has the store in ${dir} open but does not respond`);
    }
    await delay(100);
  }
}
