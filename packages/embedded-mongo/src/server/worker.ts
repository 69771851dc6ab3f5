import { parentPort, workerData } from 'node:worker_threads';
import { startStoreServer, type StoreServer, type StoreServerSettings } from './store-server.js';
import type { ServerLog } from './server-log.js';

/** Messages of the worker to the thread that started it. */
export type FromWorker =
  | { type: 'ready'; uri: string }
  | { type: 'failed'; name: string; message: string }
  | { type: 'log'; level: 'info' | 'warn' | 'error'; message: string; details: object | undefined }
  | { type: 'backedUp'; id: number; error?: { name: string; message: string } }
  | { type: 'closed' };

export type ToWorker = { type: 'close' } | { type: 'backup'; id: number; dir: string };

const port = parentPort;
if (!port) throw new Error('this module runs in a worker thread');

const tell = (message: FromWorker): void => port.postMessage(message);
const log: ServerLog = (level, message, details) => tell({ type: 'log', level, message, details });
const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

let server: StoreServer | undefined;

const backup = async (id: number, dir: string): Promise<void> => {
  try {
    await server?.backup(dir);
    tell({ type: 'backedUp', id });
  } catch (error) {
    const name = error instanceof Error ? error.name : 'Error';
    tell({ type: 'backedUp', id, error: { name, message: textOf(error) } });
  }
};

port.on('message', (message: ToWorker) => {
  if (message.type === 'backup') {
    void backup(message.id, message.dir);
    return;
  }
  void (server?.close() ?? Promise.resolve())
    .catch((error: unknown) => log('error', `closing failed: ${textOf(error)}`))
    .then(() => {
      tell({ type: 'closed' });
      port.close();
    });
});

startStoreServer(workerData as StoreServerSettings, log).then(
  (started) => {
    server = started;
    tell({ type: 'ready', uri: started.uri });
  },
  (error: unknown) => {
    tell({ type: 'failed', name: error instanceof Error ? error.name : 'Error', message: textOf(error) });
    port.close();
  },
);
