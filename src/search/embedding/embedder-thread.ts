import { parentPort } from 'node:worker_threads';
import { messageOf } from '../../common/index.js';
import { BuiltInEmbedder } from './built-in.embedder.js';

/** What the thread is told: texts to embed, or the id of a call that nobody waits for any more. */
export type ToThread = { id: number; texts: readonly string[] } | { abort: number };

/** `ready` comes first and once. Each call is answered, also one that was aborted, in the order in which they came. */
export type FromThread =
  | { type: 'ready' }
  /** float32 of all vectors, one after the other in the texts' order. */
  | { type: 'embedded'; id: number; vectors: ArrayBuffer }
  | { type: 'failed'; id: number; message: string };

const port = parentPort;
if (!port) throw new Error('this module runs in a worker thread');

const embedder = new BuiltInEmbedder();
const unanswered = new Map<number, AbortController>();
let last = Promise.resolve();

async function answer(id: number, texts: readonly string[], signal: AbortSignal): Promise<FromThread> {
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
    unanswered.get(message.abort)?.abort();
    return;
  }
  const { id, texts } = message;
  const controller = new AbortController();
  unanswered.set(id, controller);
  last = last.then(async () => {
    send(await answer(id, texts, controller.signal));
    unanswered.delete(id);
  });
});

send({ type: 'ready' });
