import { rm, chmod } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Engine } from '../engine/types.js';
import { Connection } from './connection.js';
import { Dispatcher } from './dispatcher.js';
import type { ServerLog } from './server-log.js';
import { ServerState } from './state.js';

/** Where a server listens: a unix socket, or an address and a port (0 for any free port). */
export type Endpoint = { socketPath: string } | { host: string; port: number };

export interface ServerOptions {
  engine: Engine;
  endpoint: Endpoint;
  now: () => number;
  log: ServerLog;
}

const sweepMs = 60_000;
const drainMs = 10_000;

/** Serves one engine on one socket. */
export class MongoServer {
  private readonly state: ServerState;
  private readonly dispatcher: Dispatcher;
  private readonly listener: Server;
  private readonly connections = new Set<Connection>();
  private lastConnectionId = 0;
  private sweeper: NodeJS.Timeout | undefined;
  private whenIdle: (() => void) | undefined;

  private constructor(private readonly options: ServerOptions) {
    this.state = new ServerState(options.engine, options.now, options.log);
    this.dispatcher = new Dispatcher(this.state);
    this.listener = createServer({ noDelay: true }, (socket) => this.accept(socket));
  }

  /** Starts listening. If the address is in use, throws an error that contains it. */
  static async listen(options: ServerOptions): Promise<MongoServer> {
    const server = new MongoServer(options);
    await server.start();
    return server;
  }

  /** The URI to which clients connect. */
  get uri(): string {
    const { endpoint } = this.options;
    const host = 'socketPath' in endpoint ? encodeURIComponent(endpoint.socketPath) : this.state.address;
    return `mongodb://${host}/?directConnection=true`;
  }

  /**
   * Stops accepting connections and commands, gives running commands ten seconds to finish, and closes all
   * connections. The engine stays open.
   */
  async close(): Promise<void> {
    if (this.state.closing) return;
    this.state.closing = true;
    clearInterval(this.sweeper);
    this.state.operations.killWaiting();
    const stopped = new Promise<void>((resolve) => this.listener.close(() => resolve()));
    for (const connection of this.connections) if (!connection.busy) connection.destroy();
    await this.drain();
    this.state.operations.killAll();
    for (const connection of this.connections) connection.destroy();
    for (const session of this.state.sessions.all()) this.state.sessions.kill(session.lsid);
    this.state.cursors.killWhere(() => true);
    this.state.snapshots.release();
    await this.state.profiler.flush();
    await stopped;
  }

  private async start(): Promise<void> {
    const { endpoint } = this.options;
    if ('socketPath' in endpoint) await rm(endpoint.socketPath, { force: true });
    await new Promise<void>((resolve, reject) => {
      this.listener.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, endpoint)));
      this.listener.listen('socketPath' in endpoint ? { path: endpoint.socketPath } : endpoint, resolve);
    });
    if ('socketPath' in endpoint) {
      await chmod(endpoint.socketPath, 0o600);
      this.state.address = endpoint.socketPath;
    } else {
      this.state.address = `${endpoint.host}:${(this.listener.address() as AddressInfo).port}`;
    }
    this.sweeper = setInterval(() => this.state.sweep(), sweepMs).unref();
  }

  private accept(socket: Socket): void {
    this.lastConnectionId += 1;
    const { connections } = this.state.metrics;
    const connection = new Connection(this.lastConnectionId, socket, this.state, this.dispatcher, (gone) => {
      this.connections.delete(gone);
      connections.current -= 1;
      this.state.operations.killReadsOf(gone);
      if (this.connections.size === 0) this.whenIdle?.();
    });
    connections.current += 1;
    connections.totalCreated += 1;
    this.connections.add(connection);
  }

  private async drain(): Promise<void> {
    if (this.connections.size === 0) return;
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([
      new Promise<void>((resolve) => {
        this.whenIdle = resolve;
      }),
      new Promise<void>((resolve) => {
        timer = setTimeout(resolve, drainMs);
      }),
    ]);
    clearTimeout(timer);
  }
}

function listenError(error: NodeJS.ErrnoException, endpoint: Endpoint): Error {
  const where = 'socketPath' in endpoint ? endpoint.socketPath : `${endpoint.host}:${endpoint.port}`;
  if (error.code !== 'EADDRINUSE') return error;
  return new Error(`${where} is in use by another process; choose another port or omit the option`, {
    cause: error,
  });
}
