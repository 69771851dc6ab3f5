import { parentPort } from 'node:worker_threads';
import { messageOf } from '../../common/index.js';
import { BuiltInEmbedder } from './built-in.embedder.js';

/** A message to the thread: texts to embed, or the id of a call to abort. */
export type ToThread = { id: number; texts: readonly string[] } | { abort: number };

/**
 * A message from the thread. `ready` is sent once, first. Every call, even an aborted one, gets a response,
 * in order of arrival.
 */
export type FromThread =
  | { type: 'ready' }
  /** The float32 values of all vectors, concatenated in the order of the texts. */
  | { type: 'embedded'; id: number; vectors: ArrayBuffer }
  | { type: 'failed'; id: number; message: string };

const port = parentPort;
if (!port) throw new Error('this module runs in a worker thread');

const embedder = new BuiltInEmbedder();
const pending = new Map<number, AbortController>();
let last = Promise.resolve();

async function respond(id: number, texts: readonly string[], signal: AbortSignal): Promise<FromThread> {
  try {
    const vectors = await embedder.embed(texts, signal);
    const all = new Float32Array(texts.length * embedder.dimensions);
    vectors.forEach((vector, place) => all.set(vector, place * embedder.dimensions));
    return { type: 'embedded', id, vectors: all.buffer };
  } catch (error) {
    return { type: 'failed', id, message: messageOf(error) };
  }
}

const send = (message: FromThread): void =>
  port.postMessage(message, message.type === 'embedded' ? [message.vectors] : []);

port.on('message', (message: ToThread) => {
  if ('abort' in message) {
    pending.get(message.abort)?.abort();
    return;
  }
  const { id, texts } = message;
  const controller = new AbortController();
  pending.set(id, controller);
  last = last.then(async () => {
    send(await respond(id, texts, controller.signal));
    pending.delete(id);
  });
});

send({ type: 'ready' });
