import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { BuiltInEmbedder } from './built-in.embedder.js';
import type { FromThread, ToThread } from './embedder-thread.js';
import { type Embedder, EmbeddingError } from './embedder.js';

const threadUrl = new URL('./embedder-thread.js', import.meta.url);

/** False when this module runs from its TypeScript source, as under jest. */
export const hasThreadFile = (): boolean => existsSync(fileURLToPath(threadUrl));

/**
 * Texts of at most so many UTF-16 units in all, as most search queries are, are embedded on the calling thread. The way to the other
 * thread and back would cost the calling one less, about 0.03 ms where these texts need 0.1 to 0.25 ms; but they would wait there
 * for all batches before them, 30 ms for a hundred dialogues. Longer ones wait, since 2,000 units take 0.6 ms and 500,000 take 60 ms.
 */
export const SHORT_LENGTH = 500;

/** When no thread can be started, the calling one does the work for so long, milliseconds. */
const REST_MS = 30_000;

/** What is used of a Worker. */
export interface EmbedderThread extends Pick<Worker, 'postMessage' | 'ref' | 'unref' | 'terminate'> {
  on(event: 'message', listener: (message: FromThread) => void): unknown;
  on(event: 'error', listener: (error: unknown) => void): unknown;
  on(event: 'exit', listener: (code: number) => void): unknown;
}

export interface ThreadedEmbedderOptions {
  startThread?: () => EmbedderThread;
  /** The thread ended without having been told to (`wasReady`), or could not start. */
  onEnd?: (error: Error, wasReady: boolean) => void;
  now?: () => number;
}

interface Call {
  id: number;
  texts: readonly string[];
  signal: AbortSignal | undefined;
  resolve: (vectors: Float32Array[]) => void;
  reject: (error: unknown) => void;
}

const isShort = (texts: readonly string[]): boolean =>
  texts.reduce((length, text) => length + text.length, 0) <= SHORT_LENGTH;

const stoppedError = (): EmbeddingError =>
  new EmbeddingError('the embedder was stopped', { retryable: true });

/**
 * The built-in embedder in a thread of its own, with the same vectors. The thread is started by the first texts that need it (many
 * processes never embed) and serves calls in the order in which they came, those of short texts excepted, which do not get there. It
 * keeps the process alive only while a call is under way.
 *
 * Should the thread end, of memory exhausted for instance, the call that was at work is refused: the caller finds the text at fault by
 * embedding them one by one. The calls behind it go to the next thread. Each end of a thread answers a call, so no text starts threads for ever.
 */
export class ThreadedEmbedder implements Embedder {
  private readonly local = new BuiltInEmbedder();
  readonly model = this.local.model;
  readonly dimensions = this.local.dimensions;
  readonly isLocal = true;

  /** Sent and not answered, oldest first. Aborted ones stay: the oldest is the one that the thread works at. */
  private readonly calls = new Map<number, Call>();
  private readonly startThread: () => EmbedderThread;
  private readonly onEnd: (error: Error, wasReady: boolean) => void;
  private readonly now: () => number;
  private thread: EmbedderThread | undefined;
  private isReady = false;
  private isStopped = false;
  private restUntil = -Infinity;
  private lastId = 0;

  constructor({ startThread, onEnd, now }: ThreadedEmbedderOptions = {}) {
    this.startThread = startThread ?? (() => new Worker(threadUrl, { name: 'embedder' }));
    this.onEnd = onEnd ?? (() => undefined);
    this.now = now ?? (() => performance.now());
  }

  async embed(texts: readonly string[], signal?: AbortSignal): Promise<Float32Array[]> {
    signal?.throwIfAborted();
    if (this.isStopped) throw stoppedError();
    if (isShort(texts)) return this.local.embed(texts, signal);
    const id = ++this.lastId;
    let onAbort: (() => void) | undefined;
    try {
      return await new Promise<Float32Array[]>((resolve, reject) => {
        onAbort = () => {
          reject(signal?.reason as Error);
          this.thread?.postMessage({ abort: id } satisfies ToThread);
        };
        signal?.addEventListener('abort', onAbort, { once: true });
        this.send({ id, texts, signal, resolve, reject });
      });
    } finally {
      if (onAbort) signal?.removeEventListener('abort', onAbort);
    }
  }

  /** Ends the thread. Calls under way, and those that come later, are rejected as worth another try: by the next process. */
  async stop(): Promise<void> {
    this.isStopped = true;
    for (const { reject } of this.calls.values()) reject(stoppedError());
    this.calls.clear();
    await this.thread?.terminate();
  }

  private send(call: Call): void {
    const { id, texts, signal, resolve, reject } = call;
    const thread = this.running();
    if (!thread) {
      this.local.embed(texts, signal).then(resolve, reject);
      return;
    }
    thread.postMessage({ id, texts } satisfies ToThread);
    this.calls.set(id, call);
    thread.ref();
  }

  /** The thread, started when there is none; undefined while none can be started. */
  private running(): EmbedderThread | undefined {
    if (this.thread || this.now() < this.restUntil) return this.thread;
    try {
      const thread = this.startThread();
      let cause: unknown;
      this.isReady = false;
      thread.on('message', (message) => this.answered(message));
      thread.on('error', (error) => (cause = error));
      thread.on('exit', (code) => this.ended(cause ?? new Error(`exit code ${code}`)));
      this.thread = thread;
    } catch (error) {
      this.rest(error);
    }
    return this.thread;
  }

  private answered(message: FromThread): void {
    if (message.type === 'ready') {
      this.isReady = true;
      return;
    }
    const call = this.calls.get(message.id);
    this.calls.delete(message.id);
    if (this.calls.size === 0) this.thread?.unref();
    if (!call) return;
    if (message.type === 'failed') {
      call.reject(
        new EmbeddingError(`the texts cannot be embedded: ${message.message}`, { retryable: false }),
      );
      return;
    }
    const { vectors } = message;
    const bytes = this.dimensions * Float32Array.BYTES_PER_ELEMENT;
    // Copies: a vector that is kept must not keep those of its whole batch.
    call.resolve(
      call.texts.map((_, place) => new Float32Array(vectors, place * bytes, this.dimensions).slice()),
    );
  }

  /** All that the thread had answered has been read by now. */
  private ended(cause: unknown): void {
    this.thread = undefined;
    if (this.isStopped) return;
    const waiting = [...this.calls.values()];
    this.calls.clear();
    if (this.isReady) {
      const error = new EmbeddingError('the thread that embeds ended', { retryable: false, cause });
      waiting.shift()?.reject(error);
      this.onEnd(error, true);
    } else this.rest(cause);
    for (const call of waiting) if (!call.signal?.aborted) this.send(call);
  }

  private rest(cause: unknown): void {
    this.restUntil = this.now() + REST_MS;
    this.onEnd(new Error('the thread that embeds could not be started', { cause }), false);
  }
}
