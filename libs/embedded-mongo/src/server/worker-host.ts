import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { FromWorker, ToWorker } from './worker.js';
import type { ServerLog } from './state.js';
import type { StoreServer, StoreServerSettings } from './store-server.js';

const workerUrl = new URL('./worker.js', import.meta.url);

/** False when this module runs from its TypeScript source, as under jest. */
export const hasWorkerFile = (): boolean => existsSync(fileURLToPath(workerUrl));

/** Opens and serves the store in a worker thread. `onError`: the worker died; the store is gone until it is opened again. */
export function startInWorker(
  settings: StoreServerSettings,
  log: ServerLog,
  onError: (error: Error) => void,
): Promise<StoreServer> {
  const worker = new Worker(workerUrl, { workerData: settings, name: 'embedded-mongo' });
  const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  let ready = false;
  let closing = false;
  return new Promise((resolve, reject) => {
    const died = (error: Error): void => {
      if (!ready) reject(error);
      else if (!closing) onError(error);
    };
    worker.on('error', died);
    worker.on('exit', (code) =>
      died(new Error(`the embedded store's worker thread ended with code ${code}`)),
    );
    worker.on('message', (message: FromWorker) => {
      if (message.type === 'log') log(message.level, message.message, message.details);
      else if (message.type === 'failed')
        reject(Object.assign(new Error(message.message), { name: message.name }));
      else if (message.type === 'ready') {
        ready = true;
        resolve({
          uri: message.uri,
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
