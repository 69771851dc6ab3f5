import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { BuiltInEmbedder } from './built-in.embedder.js';
import type { FromThread, ToThread } from './embedder-thread.js';
import { type Embedder, EmbeddingError } from './embedder.js';

const threadUrl = new URL('./embedder-thread.js', import.meta.url);

/** False if this module runs from its TypeScript source, as in jest. */
export const hasThreadFile = (): boolean => existsSync(fileURLToPath(threadUrl));

/**
 * Maximum total length, in UTF-16 units, of texts embedded on the calling thread; this covers most search
 * queries. Sending them to the other thread would use less time of the calling thread (about 0.03 ms instead
 * of 0.1 to 0.25 ms), but they would wait behind queued batches, 30 ms for a hundred dialogues. Longer texts
 * are sent to the thread: 2,000 units take 0.6 ms and 500,000 take 60 ms.
 */
export const SHORT_LENGTH = 500;

/** How long to embed on the calling thread after a thread failed to start, milliseconds. */
const RESTART_DELAY_MS = 30_000;

/** The part of a Worker that is used. */
export interface EmbedderThread extends Pick<Worker, 'postMessage' | 'ref' | 'unref' | 'terminate'> {
  on(event: 'message', listener: (message: FromThread) => void): unknown;
  on(event: 'error', listener: (error: unknown) => void): unknown;
  on(event: 'exit', listener: (code: number) => void): unknown;
}

export interface ThreadedEmbedderOptions {
  startThread?: () => EmbedderThread;
  /** Called when the thread ended unexpectedly (`wasReady`), or could not start. */
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
  new EmbeddingError('the embedder has been stopped', { retryable: true });

/**
 * Runs the built-in embedder in a separate thread, with identical vectors. The thread is started by the first
 * texts that need it (many processes never embed). It processes calls in order of arrival; short texts are
 * embedded on the calling thread. It keeps the process alive only while a call is in progress.
 *
 * If the thread ends, for example because it is out of memory, the call in progress is rejected as not
 * retryable, and the caller finds the offending text by embedding the texts one by one. The calls behind it
 * go to a new thread. Since each crash rejects one call, no text can restart threads endlessly.
 */
export class ThreadedEmbedder implements Embedder {
  private readonly local = new BuiltInEmbedder();
  readonly model = this.local.model;
  readonly dimensions = this.local.dimensions;
  readonly isLocal = true;

  /**
   * Calls sent to the thread without a response, oldest first. Aborted ones are included, because the oldest
   * is the one in progress.
   */
  private readonly calls = new Map<number, Call>();
  private readonly startThread: () => EmbedderThread;
  private readonly onEnd: (error: Error, wasReady: boolean) => void;
  private readonly now: () => number;
  private thread: EmbedderThread | undefined;
  private isReady = false;
  private isStopped = false;
  private noStartUntil = -Infinity;
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

  /**
   * Stops the thread. Calls in progress and later calls are rejected as retryable, to be retried by another
   * process.
   */
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

  /** Returns the thread, starting it if necessary. Undefined while none can be started. */
  private running(): EmbedderThread | undefined {
    if (this.thread || this.now() < this.noStartUntil) return this.thread;
    try {
      const thread = this.startThread();
      let cause: unknown;
      this.isReady = false;
      thread.on('message', (message) => this.received(message));
      thread.on('error', (error) => (cause = error));
      thread.on('exit', (code) => this.ended(cause ?? new Error(`exit code ${code}`)));
      this.thread = thread;
    } catch (error) {
      this.startFailed(error);
    }
    return this.thread;
  }

  private received(message: FromThread): void {
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
        new EmbeddingError(`the texts could not be embedded: ${message.message}`, { retryable: false }),
      );
      return;
    }
    const { vectors } = message;
    const bytes = this.dimensions * Float32Array.BYTES_PER_ELEMENT;
    // Copied, so that a retained vector does not keep the memory of its whole batch.
    call.resolve(
      call.texts.map((_, place) => new Float32Array(vectors, place * bytes, this.dimensions).slice()),
    );
  }

  /** All responses that the thread sent have been received by now. */
  private ended(cause: unknown): void {
    this.thread = undefined;
    if (this.isStopped) return;
    const waiting = [...this.calls.values()];
    this.calls.clear();
    if (this.isReady) {
      const error = new EmbeddingError('the embedding thread ended', { retryable: false, cause });
      waiting.shift()?.reject(error);
      this.onEnd(error, true);
    } else this.startFailed(cause);
    for (const call of waiting) if (!call.signal?.aborted) this.send(call);
  }

  private startFailed(cause: unknown): void {
    this.noStartUntil = this.now() + RESTART_DELAY_MS;
    this.onEnd(new Error('the embedding thread could not be started', { cause }), false);
  }
}
