import { EventEmitter } from 'node:events';
import { BuiltInEmbedder } from './built-in.embedder.js';
import type { FromThread, ToThread } from './embedder-thread.js';
import { EmbeddingError } from './embedder.js';
import { type EmbedderThread, SHORT_LENGTH, ThreadedEmbedder } from './threaded.embedder.js';

/** A thread that responds, ends or fails to start when a test requests it. */
class FakeThread extends EventEmitter implements EmbedderThread {
  readonly received: ToThread[] = [];
  keepsAlive = true;
  isTerminated = false;

  postMessage(message: ToThread): void {
    this.received.push(message);
  }

  ref(): void {
    this.keepsAlive = true;
  }

  unref(): void {
    this.keepsAlive = false;
  }

  terminate(): Promise<number> {
    this.isTerminated = true;
    this.emit('exit', 1);
    return Promise.resolve(1);
  }

  ready(): void {
    this.say({ type: 'ready' });
  }

  say(message: FromThread): void {
    this.emit('message', message);
  }

  /** Responds to the call with vectors that begin with `first`, `first` + 1 and so on. */
  embedded(id: number, first: number, texts = 1): void {
    const all = new Float32Array(texts * 256);
    for (let place = 0; place < texts; place++) all[place * 256] = first + place;
    this.say({ type: 'embedded', id, vectors: all.buffer });
  }

  crash(message: string): void {
    this.emit('error', new Error(message));
    this.emit('exit', 1);
  }

  get calls(): number[] {
    return this.received.flatMap((message) => ('id' in message ? [message.id] : []));
  }
}

const long = (word: string): string => `${word} `.repeat(SHORT_LENGTH);
const firsts = (vectors: Float32Array[]): (number | undefined)[] => vectors.map(([first]) => first);
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('ThreadedEmbedder', () => {
  let threads: FakeThread[];
  let ends: [string, boolean][];
  let clock: number;
  let fails: boolean;
  let embedder: ThreadedEmbedder;

  beforeEach(() => {
    threads = [];
    ends = [];
    clock = 0;
    fails = false;
    embedder = new ThreadedEmbedder({
      startThread: () => {
        if (fails) throw new Error('no threads left');
        threads.push(new FakeThread());
        return thread();
      },
      onEnd: ({ message }, wasReady) => ends.push([message, wasReady]),
      now: () => clock,
    });
  });

  const thread = (): FakeThread => {
    const last = threads.at(-1);
    if (!last) throw new Error('no thread was started');
    return last;
  };

  /** Relevant properties of the error with which the call was rejected. */
  const failure = async (call: Promise<unknown>): Promise<unknown> => {
    const error: unknown = await call.catch((reason: unknown) => reason);
    return error instanceof EmbeddingError ? { message: error.message, retryable: error.retryable } : error;
  };

  const ENDED = { message: 'the embedding thread ended', retryable: false };

  it('has the model and the dimensions of the built-in embedder', () => {
    const { model, dimensions } = new BuiltInEmbedder();
    expect([embedder.model, embedder.dimensions]).toEqual([model, dimensions]);
  });

  it('embeds short texts on the calling thread without starting a thread', async () => {
    const texts = ['a taxi to the airport', 'x'.repeat(SHORT_LENGTH - 21)];
    expect(await embedder.embed(texts)).toEqual(await new BuiltInEmbedder().embed(texts));
    expect(threads).toEqual([]);
  });

  it('starts one thread for the first long texts, and counts those of a call together', async () => {
    const first = embedder.embed(['x'.repeat(SHORT_LENGTH), 'y']);
    const second = embedder.embed([long('b')]);
    expect(threads).toHaveLength(1);
    expect(thread().received).toEqual([
      { id: 1, texts: ['x'.repeat(SHORT_LENGTH), 'y'] },
      { id: 2, texts: [long('b')] },
    ]);
    thread().ready();
    thread().embedded(1, 10, 2);
    thread().embedded(2, 20);
    expect(firsts(await first)).toEqual([10, 11]);
    expect(firsts(await second)).toEqual([20]);
  });

  it('returns vectors with separate memory', async () => {
    const call = embedder.embed([long('a'), long('b')]);
    thread().embedded(1, 1, 2);
    expect((await call).map(({ buffer, length }) => [buffer.byteLength, length])).toEqual([
      [1024, 256],
      [1024, 256],
    ]);
  });

  it('keeps the process alive only while a call is in progress', async () => {
    const first = embedder.embed([long('a')]);
    const second = embedder.embed([long('b')]);
    thread().embedded(1, 1);
    expect(thread().keepsAlive).toBe(true);
    thread().embedded(2, 2);
    await Promise.all([first, second]);
    expect(thread().keepsAlive).toBe(false);
    const third = embedder.embed([long('c')]);
    expect(thread().keepsAlive).toBe(true);
    thread().embedded(3, 3);
    await third;
  });

  it('rejects texts that the thread could not embed as not retryable', async () => {
    const call = embedder.embed([long('a')]);
    thread().say({ type: 'failed', id: 1, message: 'too large' });
    expect(await failure(call)).toEqual({
      message: 'the texts could not be embedded: too large',
      retryable: false,
    });
  });

  it('rejects the call during which the thread ended, and sends those behind it to the next thread in order', async () => {
    const [answered, inProgress, ...behind] = ['a', 'b', 'c', 'd'].map((word) =>
      embedder.embed([long(word)]),
    );
    thread().ready();
    thread().embedded(1, 1);
    thread().crash('out of memory');
    await expect(answered).resolves.toHaveLength(1);
    expect(await failure(inProgress ?? Promise.resolve())).toEqual(ENDED);
    expect(threads).toHaveLength(2);
    expect(thread().calls).toEqual([3, 4]);
    thread().ready();
    thread().embedded(3, 3);
    thread().embedded(4, 4);
    expect((await Promise.all(behind)).map(firsts)).toEqual([[3], [4]]);
    expect(ends).toEqual([['the embedding thread ended', true]]);
  });

  it('reports why the thread ended', async () => {
    const call = embedder.embed([long('a')]);
    thread().ready();
    thread().crash('out of memory');
    await expect(call).rejects.toMatchObject({ cause: { message: 'out of memory' } });
  });

  it('starts no new thread when one ends, but for the next call', async () => {
    const call = embedder.embed([long('a')]);
    thread().ready();
    thread().emit('exit', 1);
    expect(await failure(call)).toEqual(ENDED);
    expect(threads).toHaveLength(1);
    const next = embedder.embed([long('b')]);
    expect(threads).toHaveLength(2);
    thread().embedded(2, 2);
    expect(firsts(await next)).toEqual([2]);
  });

  it('starts no more threads than there are calls that crash them', async () => {
    const calls = ['a', 'b', 'c'].map((word) => failure(embedder.embed([long(word)])));
    for (let i = 0; i < 3; i++) {
      thread().ready();
      thread().crash('out of memory');
    }
    expect(await Promise.all(calls)).toEqual([ENDED, ENDED, ENDED]);
    expect(threads).toHaveLength(3);
  });

  it.each([
    ['cannot be started', (): void => void (fails = true), (): void => undefined],
    ['ends before it is ready', (): void => undefined, (): void => thread().crash('no such file')],
  ])('embeds on the calling thread for a while if a thread %s', async (_, before, after) => {
    before();
    const texts = [long('a'), long('b')];
    const call = embedder.embed(texts);
    after();
    expect(await call).toEqual(await new BuiltInEmbedder().embed(texts));
    const started = threads.length;
    clock = 29_999;
    expect(await embedder.embed(texts)).toEqual(await new BuiltInEmbedder().embed(texts));
    expect(threads).toHaveLength(started);
    expect(ends).toEqual([['the embedding thread could not be started', false]]);
    clock = 30_000;
    fails = false;
    const later = embedder.embed([long('c')]);
    expect(threads).toHaveLength(started + 1);
    thread().embedded(thread().calls[0] ?? 0, 7);
    expect(firsts(await later)).toEqual([7]);
  });

  it('rejects an aborted call immediately, notifies the thread, and drops its late response', async () => {
    const controller = new AbortController();
    const first = embedder.embed([long('a')], controller.signal);
    const second = embedder.embed([long('b')]);
    controller.abort(new Error('gone'));
    await expect(first).rejects.toThrow('gone');
    expect(thread().received.at(-1)).toEqual({ abort: 1 });
    thread().embedded(1, 1);
    thread().embedded(2, 2);
    expect(firsts(await second)).toEqual([2]);
  });

  it('does not send an already aborted call, nor an abort after the response', async () => {
    await expect(embedder.embed([long('a')], AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone');
    expect(threads).toEqual([]);
    const controller = new AbortController();
    const call = embedder.embed([long('b')], controller.signal);
    thread().embedded(1, 1);
    await call;
    controller.abort();
    expect(thread().received).toHaveLength(1);
  });

  it('attributes the end of the thread to the aborted call in progress, and resends no aborted calls', async () => {
    const controllers = [new AbortController(), new AbortController()];
    const aborted = controllers.map(({ signal }) => failure(embedder.embed([long('a')], signal)));
    const call = embedder.embed([long('b')]);
    thread().ready();
    for (const controller of controllers) controller.abort(new Error('gone'));
    thread().crash('out of memory');
    expect(thread().calls).toEqual([3]);
    thread().embedded(3, 3);
    expect(firsts(await call)).toEqual([3]);
    expect(await Promise.all(aborted)).toEqual([new Error('gone'), new Error('gone')]);
  });

  it('stops: ends the thread, and rejects calls in progress and later calls', async () => {
    const call = failure(embedder.embed([long('a')]));
    thread().ready();
    await embedder.stop();
    const stopped = { message: 'the embedder has been stopped', retryable: true };
    expect(await call).toEqual(stopped);
    expect(thread().isTerminated).toBe(true);
    expect(await failure(embedder.embed([long('b')]))).toEqual(stopped);
    expect(await failure(embedder.embed(['short']))).toEqual(stopped);
    await settle();
    expect(threads).toHaveLength(1);
    expect(ends).toEqual([]);
  });

  it('can stop without having started a thread, and twice', async () => {
    await embedder.stop();
    await embedder.stop();
    expect(threads).toEqual([]);
  });
});
