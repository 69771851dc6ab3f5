import { copyStore } from '../engine/copy-store.js';
import { openEngine } from '../engine/engine.js';
import { mayListen } from './endpoint-probe.js';
import { fits, maxSocketPath, removeSocketDirectory, socketPathFor } from './private-socket.js';
import { MongoServer, type Endpoint } from './server.js';
import type { ServerLog } from './server-log.js';

/** The settings that can be sent to a worker. Functions are passed separately. */
export interface StoreServerSettings {
  dir: string;
  port?: number | undefined;
  host?: string | undefined;
  socketPath?: string | undefined;
}

export interface StoreServer {
  uri: string;
  /** Copies a consistent snapshot of the store to an empty directory while it is in use. */
  backup(dir: string): Promise<void>;
  /** The same, compacted and without the record of the owner. */
  copy(dir: string): Promise<void>;
  /** Waits for running commands, flushes and closes the store. */
  close(): Promise<void>;
}

/**
 * Uses a unix socket unless a port or host is given. Only on Windows, which has none, it uses a free port of
 * 127.0.0.1 without being told.
 */
export function endpointFor({ dir, port, host, socketPath }: StoreServerSettings): Endpoint {
  if (port !== undefined || host !== undefined || process.platform === 'win32')
    return { host: host ?? '127.0.0.1', port: port ?? 0 };
  if (socketPath !== undefined && !fits(socketPath))
    throw new Error(`the socket path is longer than ${maxSocketPath} bytes: ${socketPath}`);
  return { socketPath: socketPath ?? socketPathFor(dir) };
}

/** Opens the store and serves it on this thread. */
export async function startStoreServer(
  settings: StoreServerSettings,
  log: ServerLog,
  now: () => number = Date.now,
): Promise<StoreServer> {
  const engine = await openEngine({ dir: settings.dir, now, log, probe: mayListen });
  let server: MongoServer;
  let endpoint: Endpoint;
  try {
    endpoint = endpointFor(settings);
    server = await MongoServer.listen({ engine, endpoint, now, log });
  } catch (error) {
    await engine.close();
    throw error;
  }
  await engine.setEndpoint(server.uri);
  return {
    uri: server.uri,
    backup: (dir) => engine.backup(dir),
    copy: (dir) => copyStore(settings.dir, dir),
    async close() {
      await server.close();
      if ('socketPath' in endpoint && settings.socketPath === undefined)
        removeSocketDirectory(endpoint.socketPath, settings.dir);
      await engine.close();
    },
  };
}
