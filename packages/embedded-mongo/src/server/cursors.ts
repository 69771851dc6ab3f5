import { randomInt } from 'node:crypto';
import { kill } from '../commands/awaiting.js';
import type { CursorStore, IdleCursor, OpenCursor } from '../commands/host.js';
import type { Namespace } from '../engine/types.js';
import { ServerError } from '../values/errors.js';

const defaultIdleLimitMs = 10 * 60 * 1000;
const maxOpen = 10_000;

interface Entry {
  cursor: OpenCursor;
  readonly openedAt: number;
  lastUse: number;
  /** A getMore is reading from it. */
  pinned: boolean;
  /** It was killed while pinned and will be closed when the getMore releases it. */
  doomed: boolean;
}

/** The open cursors of clients, at most `maxOpen`. Idle cursors are closed after ten minutes. */
export class CursorRegistry implements CursorStore {
  private readonly entries = new Map<bigint, Entry>();
  timedOutCount = 0;
  idleLimitMs = defaultIdleLimitMs;

  constructor(
    private readonly now: () => number,
    private readonly limit = maxOpen,
  ) {}

  get openCount(): number {
    return this.entries.size;
  }

  add(cursor: Omit<OpenCursor, 'id'>): OpenCursor {
    if (this.entries.size >= this.limit) {
      cursor.source.close();
      throw new ServerError(
        'OperationFailed',
        `too many cursors are open (at most ${this.limit}); close some first`,
      );
    }
    const opened: OpenCursor = { ...cursor, id: this.newId() };
    const openedAt = this.now();
    this.entries.set(opened.id, {
      cursor: opened,
      openedAt,
      lastUse: openedAt,
      pinned: false,
      doomed: false,
    });
    return opened;
  }

  checkOut(id: bigint, ns: Namespace): OpenCursor {
    const entry = this.entries.get(id);
    if (!entry || entry.doomed) throw new ServerError('CursorNotFound', `cursor id ${id} not found`);
    const { cursor } = entry;
    if (cursor.ns.db !== ns.db || cursor.ns.coll !== ns.coll) {
      throw new ServerError(
        'Unauthorized',
        `Requested getMore on namespace '${ns.db}.${ns.coll}', but cursor belongs to a different namespace ${cursor.ns.db}.${cursor.ns.coll}`,
      );
    }
    if (entry.pinned)
      throw new ServerError(12051, `cursor id ${id} is already in use`, { codeName: 'CursorInUse' });
    entry.pinned = true;
    return cursor;
  }

  release(cursor: OpenCursor, finished: boolean): void {
    const entry = this.entries.get(cursor.id);
    if (!entry) return;
    entry.pinned = false;
    entry.lastUse = this.now();
    if (finished || entry.doomed) this.close(entry);
  }

  kill(id: bigint, ns: Namespace): boolean {
    const entry = this.entries.get(id);
    if (!entry || entry.cursor.ns.db !== ns.db || entry.cursor.ns.coll !== ns.coll) return false;
    this.end(entry);
    return true;
  }

  killWhere(predicate: (cursor: OpenCursor) => boolean): number {
    let killed = 0;
    for (const entry of [...this.entries.values()]) {
      if (!predicate(entry.cursor)) continue;
      this.end(entry);
      killed += 1;
    }
    return killed;
  }

  idle(): IdleCursor[] {
    return [...this.entries.values()].filter(({ pinned }) => !pinned);
  }

  /** Closes cursors that exceed the idle limit (ten minutes by default). */
  sweep(): void {
    const oldest = this.now() - this.idleLimitMs;
    for (const entry of [...this.entries.values()]) {
      const exempt = entry.pinned || entry.cursor.noTimeout;
      if (exempt || entry.lastUse > oldest) continue;
      this.end(entry);
      this.timedOutCount += 1;
    }
  }

  private end(entry: Entry): void {
    kill(entry.cursor.signal, 'CursorKilled');
    if (entry.pinned) entry.doomed = true;
    else this.close(entry);
  }

  private close(entry: Entry): void {
    this.entries.delete(entry.cursor.id);
    entry.cursor.source.close();
  }

  private newId(): bigint {
    for (;;) {
      const id = (BigInt(randomInt(0, 0x7fffffff)) << 32n) | BigInt(randomInt(1, 0xffffffff));
      if (!this.entries.has(id)) return id;
    }
  }
}
