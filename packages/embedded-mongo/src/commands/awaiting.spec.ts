import { kill, nextAwaited } from './awaiting.js';
import type { AwaitableSource, Batch, KillSignal } from './host.js';

/** A source whose documents are provided by the test. */
class Feed implements AwaitableSource {
  readonly listeners = new Set<() => void>();
  docs: Uint8Array[] = [];
  done = false;
  reads = 0;
  /** Runs at the end of the first read. */
  afterRead: (() => void) | undefined;

  next(): Promise<Batch> {
    this.reads += 1;
    const docs = this.docs.splice(0);
    this.afterRead?.();
    this.afterRead = undefined;
    return Promise.resolve({ docs, done: this.done });
  }

  close(): void {}

  onMore(wake: () => void): () => void {
    this.listeners.add(wake);
    return () => this.listeners.delete(wake);
  }

  push(doc: Uint8Array): void {
    this.docs.push(doc);
    for (const wake of this.listeners) wake();
  }
}

const doc = new Uint8Array([5, 0, 0, 0, 0]);
const hour = 3_600_000;

describe('nextAwaited', () => {
  let feed: Feed;
  let signal: KillSignal;
  const next = (waitMs = hour) => nextAwaited(feed, signal, { maxDocs: 10, maxBytes: 1000, waitMs });

  beforeEach(() => {
    feed = new Feed();
    signal = { killed: false };
  });

  it('returns available documents immediately', async () => {
    feed.docs = [doc];
    await expect(next()).resolves.toEqual({ docs: [doc], done: false });
  });

  it('returns documents that arrive later, and keeps waiting after a spurious wake-up', async () => {
    const batch = next();
    await Promise.resolve();
    for (const wake of feed.listeners) wake();
    while (feed.reads < 2) await Promise.resolve();
    feed.push(doc);
    await expect(batch).resolves.toEqual({ docs: [doc], done: false });
  });

  it('notices documents that arrive while it reads', async () => {
    feed.afterRead = () => feed.push(doc);
    await expect(next()).resolves.toEqual({ docs: [doc], done: false });
  });

  it('returns an empty batch after the timeout and at the end of the source', async () => {
    await expect(next(1)).resolves.toEqual({ docs: [], done: false });
    feed.done = true;
    await expect(next()).resolves.toEqual({ docs: [], done: true });
  });

  it.each([
    [undefined, 11601],
    ['CursorKilled' as const, 237],
    ['InterruptedAtShutdown' as const, 11600],
  ])('fails when killed: %s', async (reason, code) => {
    const batch = next();
    await Promise.resolve();
    kill(signal, reason);
    await expect(batch).rejects.toMatchObject({ code });
    expect(feed.listeners.size).toBe(0);
    expect(signal.wake).toBeUndefined();
  });
});
