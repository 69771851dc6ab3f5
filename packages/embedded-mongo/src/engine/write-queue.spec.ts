import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ServerError } from '../values/errors.js';
import { Store, StoreFailure } from './store.js';
import { Blocked, WriteQueue } from './write-queue.js';

const key = (name: string): Uint8Array => Buffer.from(`\x07${name}`);
const value = (text: string): Uint8Array => Buffer.from(text);

describe('the write queue', () => {
  let dir: string;
  let store: Store;
  let queue: WriteQueue;
  const read = (name: string) => {
    const bytes = store.view.get(key(name));
    return bytes && Buffer.from(bytes).toString();
  };
  const hooks = { beforeCommit: () => {}, written: () => {}, committed: () => {} };

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'queue-'));
    store = Store.open(dir);
    queue = new WriteQueue(store, hooks);
  });

  /** Statements that wait are in one commit, however slow the machine is. */
  const stopClock = (): void => void jest.spyOn(performance, 'now').mockReturnValue(0);

  afterEach(async () => {
    jest.restoreAllMocks();
    await store.close();
    rmSync(dir, { recursive: true, force: true });
  });

  it('runs statements in order of arrival, each seeing earlier writes', async () => {
    const seen = await Promise.all(
      Array.from({ length: 200 }, (_, i) =>
        queue.run((batch) => {
          const before = Number(read('n') ?? 0);
          batch.put(key('n'), value(String(before + 1)));
          return [i, before];
        }),
      ),
    );
    expect(seen).toEqual(Array.from({ length: 200 }, (_, i) => [i, i]));
    expect(read('n')).toBe('200');
  });

  it('makes a write visible by the time it is acknowledged', async () => {
    for (let i = 0; i < 50; i++) {
      await queue.run((batch) => batch.put(key('a'), value(String(i))));
      expect(read('a')).toBe(String(i));
    }
  });

  it('fails only the statement that throws before writing', async () => {
    const results = await Promise.allSettled([
      queue.run((batch) => batch.put(key('a'), value('1'))),
      queue.run(() => {
        throw new ServerError('BadValue', 'no');
      }),
      queue.run((batch) => batch.put(key('b'), value('2'))),
    ]);
    expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect([read('a'), read('b')]).toEqual(['1', '2']);
  });

  it('rolls back the whole commit when a statement fails halfway, and continues with the next', async () => {
    stopClock();
    const undone: string[] = [];
    const committed: number[] = [];
    queue = new WriteQueue(store, { ...hooks, committed: (batch) => committed.push(batch.seq) });
    const results = await Promise.allSettled([
      queue.run((batch) => {
        batch.put(key('a'), value('1'));
        batch.undo.push(() => undone.push('first'));
      }),
      queue.run((batch) => {
        batch.undo.push(() => undone.push('second'));
        batch.put(key('b'), value('2'));
        throw new StoreFailure(new Error('MDB_MAP_FULL: no space left'));
      }),
    ]);
    for (const result of results)
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 14031 } });
    expect([read('a'), read('b')]).toEqual([undefined, undefined]);
    expect(undone).toEqual(['second', 'first']);
    expect(queue.sequence).toBe(0);
    expect(committed).toEqual([]);
    await queue.run((batch) => batch.put(key('c'), value('3')));
    expect([read('b'), read('c')]).toEqual([undefined, '3']);
    expect(committed).toEqual([1]);
  });

  it('reports the error of a partially executed statement only to its caller', async () => {
    stopClock();
    const results = await Promise.allSettled([
      queue.run((batch) => batch.put(key('a'), value('1'))),
      queue.run((batch) => {
        batch.put(key('b'), value('2'));
        throw new ServerError('BadValue', 'mine');
      }),
    ]);
    expect(results).toMatchObject([
      { status: 'rejected', reason: { codeName: 'InternalError' } },
      { status: 'rejected', reason: { codeName: 'BadValue', message: 'mine' } },
    ]);
    expect([read('a'), read('b')]).toEqual([undefined, undefined]);
  });

  it('retries a blocked statement after its wait and runs others meanwhile', async () => {
    let release = () => {};
    const ended = new Promise<void>((resolve) => (release = resolve));
    let held = true;
    const order: string[] = [];
    const blocked = queue
      .run((batch) => {
        if (held) throw new Blocked(ended);
        batch.put(key('x'), value('late'));
      })
      .then(() => order.push('blocked'));
    await queue.run((batch) => batch.put(key('y'), value('soon'))).then(() => order.push('other'));
    held = false;
    release();
    await blocked;
    expect(order).toEqual(['other', 'blocked']);
    expect(read('x')).toBe('late');
  });

  it('completes accepted statements before it closes and rejects others', async () => {
    const accepted = queue.run((batch) => batch.put(key('a'), value('1')));
    const closed = queue.close(new ServerError('InterruptedAtShutdown', 'closing'));
    await expect(queue.run(() => 1)).rejects.toMatchObject({ code: 11600 });
    await closed;
    await accepted;
    expect(read('a')).toBe('1');
  });

  it('continues its sequence after a reopen', async () => {
    await queue.run((batch) => batch.put(key('a'), value('1')));
    await queue.run((batch) => batch.put(key('a'), value('2')));
    expect(queue.sequence).toBe(2);
    await store.close();
    store = Store.open(dir);
    expect(new WriteQueue(store, hooks).sequence).toBe(2);
  });
});
