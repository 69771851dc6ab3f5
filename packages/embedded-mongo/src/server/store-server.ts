import { join } from 'node:path';
import { openEngine } from '../engine/engine.js';
import { mayListen } from './endpoint-probe.js';
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
  /** Waits for running commands, flushes and closes the store. */
  close(): Promise<void>;
}

/** Maximum length of a unix socket path that all platforms support, bytes. */
const maxSocketPath = 100;

/**
 * Uses a unix socket in the data directory, unless a port is given or the platform or path length does not
 * allow it.
 */
export function endpointFor({ dir, port, host, socketPath }: StoreServerSettings): Endpoint {
  if (port === undefined && host === undefined && process.platform !== 'win32') {
    const path = socketPath ?? join(dir, 'mongodb.sock');
    if (Buffer.byteLength(path) < maxSocketPath) return { socketPath: path };
    if (socketPath !== undefined)
      throw new Error(`the socket path is longer than ${maxSocketPath} bytes: ${path}`);
  }
  return { host: host ?? '127.0.0.1', port: port ?? 0 };
}

/** Opens the store and serves it on this thread. */
export async function startStoreServer(
  settings: StoreServerSettings,
  log: ServerLog,
  now: () => number = Date.now,
): Promise<StoreServer> {
  const engine = await openEngine({ dir: settings.dir, now, log, probe: mayListen });
  let server: MongoServer;
  try {
    server = await MongoServer.listen({ engine, endpoint: endpointFor(settings), now, log });
  } catch (error) {
    await engine.close();
    throw error;
  }
  await engine.setEndpoint(server.uri);
  return {
    uri: server.uri,
    backup: (dir) => engine.backup(dir),
    async close() {
      await server.close();
      await engine.close();
    },
  };
}
