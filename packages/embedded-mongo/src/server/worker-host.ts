import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { FromWorker, ToWorker } from './worker.js';
import type { ServerLog } from './server-log.js';
import type { StoreServer, StoreServerSettings } from './store-server.js';

const workerUrl = new URL('./worker.js', import.meta.url);

/** False when this module runs from its TypeScript source, as under jest. */
export const hasWorkerFile = (): boolean => existsSync(fileURLToPath(workerUrl));

/** Backups that the worker has not finished yet. */
class Backups {
  private readonly waiting = new Map<number, { resolve: () => void; reject: (error: Error) => void }>();
  private lastId = 0;
  private gone: Error | undefined;

  constructor(private readonly worker: Worker) {}

  start(type: 'backup' | 'copy', dir: string): Promise<void> {
    if (this.gone) return Promise.reject(this.gone);
    const id = ++this.lastId;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.worker.postMessage({ type, id, dir } satisfies ToWorker);
    });
  }

  settle({ id, error }: FromWorker & { type: 'backedUp' }): void {
    const pending = this.waiting.get(id);
    this.waiting.delete(id);
    if (error) pending?.reject(Object.assign(new Error(error.message), { name: error.name }));
    else pending?.resolve();
  }

  /** Rejects all pending backups after the worker has ended. */
  end(error: Error): void {
    this.gone = error;
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
  }
}

/**
 * Opens and serves the store in a worker thread. `onError` is called if the worker ends unexpectedly. The
 * store is then unavailable until it is opened again.
 */
export function startInWorker(
  settings: StoreServerSettings,
  log: ServerLog,
  onError: (error: Error) => void,
): Promise<StoreServer> {
  const worker = new Worker(workerUrl, { workerData: settings, name: 'embedded-mongo' });
  const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  const backups = new Backups(worker);
  let ready = false;
  let closing = false;
  return new Promise((resolve, reject) => {
    const died = (error: Error): void => {
      if (!ready) reject(error);
      else if (!closing) onError(error);
    };
    worker.on('error', died);
    worker.on('exit', (code) => {
      const error = new Error(`the embedded store's worker thread ended with code ${code}`);
      backups.end(error);
      died(error);
    });
    worker.on('message', (message: FromWorker) => {
      if (message.type === 'log') log(message.level, message.message, message.details);
      else if (message.type === 'failed')
        reject(Object.assign(new Error(message.message), { name: message.name }));
      else if (message.type === 'backedUp') backups.settle(message);
      else if (message.type === 'ready') {
        ready = true;
        resolve({
          uri: message.uri,
          backup: (dir) => backups.start('backup', dir),
          copy: (dir) => backups.start('copy', dir),
          async close() {
            if (!closing) {
              closing = true;
              worker.postMessage({ type: 'close' } satisfies ToWorker);
            }
            await exited;
          },
        });
      }
    });
  });
}
