import { parentPort, workerData } from 'node:worker_threads';
import { startStoreServer, type StoreServer, type StoreServerSettings } from './store-server.js';
import type { ServerLog } from './server-log.js';

/** Messages from the worker to the thread that started it. */
export type FromWorker =
  | { type: 'ready'; uri: string }
  | { type: 'failed'; name: string; message: string }
  | { type: 'log'; level: 'info' | 'warn' | 'error'; message: string; details: object | undefined }
  | { type: 'backedUp'; id: number; error?: { name: string; message: string } }
  | { type: 'closed' };

export type ToWorker = { type: 'close' } | { type: 'backup' | 'copy'; id: number; dir: string };

const port = parentPort;
if (!port) throw new Error('this module runs in a worker thread');

const post = (message: FromWorker): void => port.postMessage(message);
const log: ServerLog = (level, message, details) => post({ type: 'log', level, message, details });
const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

let server: StoreServer | undefined;

const backup = async ({ type, id, dir }: Exclude<ToWorker, { type: 'close' }>): Promise<void> => {
  try {
    await (type === 'copy' ? server?.copy(dir) : server?.backup(dir));
    post({ type: 'backedUp', id });
  } catch (error) {
    const name = error instanceof Error ? error.name : 'Error';
    post({ type: 'backedUp', id, error: { name, message: textOf(error) } });
  }
};

port.on('message', (message: ToWorker) => {
  if (message.type !== 'close') {
    void backup(message);
    return;
  }
  void (server?.close() ?? Promise.resolve())
    .catch((error: unknown) => log('error', `failed to close the store: ${textOf(error)}`))
    .then(() => {
      post({ type: 'closed' });
      port.close();
    });
});

startStoreServer(workerData as StoreServerSettings, log).then(
  (started) => {
    server = started;
    post({ type: 'ready', uri: started.uri });
  },
  (error: unknown) => {
    post({ type: 'failed', name: error instanceof Error ? error.name : 'Error', message: textOf(error) });
    port.close();
  },
);
