import fc from 'fast-check';
import { idOf, MemoryVectorSource, MODEL, normalised } from '../../../test/support/memory-vector-source.js';
import { VectorIndex } from './vector-index.js';
import { VectorMatrix } from './vector-matrix.js';
import type { VectorRow } from './vector-source.js';

const MIB = 2 ** 20;
const east = normalised([1, 0, 0]);
const all = { limit: 1_000 };

const row = (number: number, more: Partial<VectorRow> = {}): VectorRow => ({
  id: idOf(number),
  vector: normalised([Math.cos(number), Math.sin(number), 0.5]),
  channel: number % 2 === 0 ? 'web' : 'sms',
  participantId: `p${number % 3}`,
  at: number,
  ...more,
});
const rows = (from: number, to: number): VectorRow[] =>
  Array.from({ length: to - from }, (_, at) => row(from + at));
const ids = (hits: readonly { id: string }[]): string[] => hits.map(({ id }) => id).sort();
const idsOf = (...numbers: number[]): string[] => numbers.map(idOf);

function gate(): { opened: Promise<void>; open: () => void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

const open = (source: MemoryVectorSource, maxBytes = MIB): VectorIndex =>
  new VectorIndex(source, { maxBytes });

/** Bytes of a matrix with this many rows of this spec. */
function bytesOf(count: number): number {
  const matrix = new VectorMatrix(3);
  for (const added of rows(0, count)) matrix.upsert(added.id, added.vector, added);
  return matrix.bytes;
}

describe('VectorIndex', () => {
  it('builds a matrix once for concurrent searches, and keeps it', async () => {
    const source = new MemoryVectorSource();
    source.commit('acme', rows(0, 30));
    const index = open(source);
    const answers = await Promise.all([1, 2, 3].map(() => index.search('acme', MODEL, east, all)));
    await index.search('acme', MODEL, east, all);
    expect(answers.map((hits) => hits.length)).toEqual([30, 30, 30]);
    expect(source.fullReads).toBe(1);
    expect(index.stats()).toMatchObject({ tenants: 1, vectors: 30, builds: 1, searches: 4, streamed: 0 });
  });

  it('keeps tenants and models separate', async () => {
    const source = new MemoryVectorSource();
    source.commit('acme', rows(0, 3));
    source.commit('acme', rows(3, 5), [], 'other-model');
    source.commit('brook', rows(5, 9));
    const index = open(source);
    expect(ids(await index.search('acme', MODEL, east, all))).toEqual(idsOf(0, 1, 2));
    expect(ids(await index.search('acme', 'other-model', east, all))).toEqual(idsOf(3, 4));
    expect(ids(await index.search('brook', MODEL, east, all))).toEqual(idsOf(5, 6, 7, 8));
    expect(await index.search('nobody', MODEL, east, all)).toEqual([]);
  });

  it('removes a row from the matrix of the old model when its model changes', async () => {
    const source = new MemoryVectorSource();
    source.commit('acme', rows(0, 3));
    const index = open(source);
    await index.search('acme', MODEL, east, all);
    source.commit('acme', [row(1)], [], 'other-model');
    expect(ids(await index.search('acme', MODEL, east, all))).toEqual(idsOf(0, 2));
    expect(ids(await index.search('acme', 'other-model', east, all))).toEqual(idsOf(1));
  });

  describe('changes', () => {
    it('are seen by the next search in every process, across several pages', async () => {
      const source = new MemoryVectorSource(7, 2);
      source.commit('acme', rows(0, 5));
      const processes = [open(source), open(source)];
      for (const index of processes) await index.search('acme', MODEL, east, all);
      for (let number = 5; number < 12; number++) source.commit('acme', [row(number)], [idOf(number - 5)]);
      for (const index of processes)
        expect(ids(await index.search('acme', MODEL, east, all))).toEqual(idsOf(7, 8, 9, 10, 11));
      expect(source.fullReads).toBe(2);
    });

    it('committed during a build take precedence over the older rows that it read', async () => {
      const source = new MemoryVectorSource(2);
      source.commit('acme', rows(0, 6));
      const reached = gate();
      const held = gate();
      source.beforeBatch = async (_tenant, batch) => {
        if (batch !== 1) return;
        reached.open();
        await held.opened;
      };
      const index = open(source);
      const search = index.search('acme', MODEL, east, all);
      await reached.opened;
      // Row 0 is in the matrix by now, row 2 has been read but not yet added, row 5 has not been read yet.
      const deleted = { rows: [], deletedIds: idsOf(0, 2, 5) };
      const changed = { rows: [row(1, { vector: east }), row(9)], deletedIds: [] };
      for (const { rows: put, deletedIds } of [deleted, changed]) {
        const seq = source.commit('acme', put, deletedIds);
        index.apply('acme', MODEL, { seq, rows: put, deletedIds });
      }
      held.open();
      const hits = await search;
      expect(ids(hits)).toEqual(idsOf(1, 3, 4, 9));
      expect(hits[0]).toEqual({ id: idOf(1), score: 1 });
    });

    it('of this process are applied only in order: a late one restores nothing', async () => {
      const source = new MemoryVectorSource();
      source.commit('acme', rows(0, 2));
      const index = open(source);
      await index.search('acme', MODEL, east, all);
      const inserted = source.commit('acme', [row(7)]);
      source.commit('acme', [], idsOf(0, 7));
      const ahead = source.commit('acme', [row(8)]);
      index.apply('acme', MODEL, { seq: ahead, rows: [row(8)], deletedIds: [] });
      expect(ids(await index.search('acme', MODEL, east, all))).toEqual(idsOf(1, 8));
      index.apply('acme', MODEL, { seq: inserted, rows: [row(7)], deletedIds: [] });
      expect(ids(await index.search('acme', MODEL, east, all))).toEqual(idsOf(1, 8));
    });

    it('read before a newer one was applied do not undo it', async () => {
      const source = new MemoryVectorSource();
      source.commit('acme', rows(0, 2));
      const index = open(source);
      await index.search('acme', MODEL, east, all);
      const inserted = source.commit('acme', [row(7)]);
      const read = gate();
      const held = gate();
      source.afterChanges = async () => {
        read.open();
        await held.opened;
      };
      const search = index.search('acme', MODEL, east, all);
      await read.opened;
      index.apply('acme', MODEL, { seq: inserted, rows: [row(7)], deletedIds: [] });
      const deleted = source.commit('acme', [], [idOf(7)]);
      index.apply('acme', MODEL, { seq: deleted, rows: [], deletedIds: [idOf(7)] });
      held.open();
      expect(ids(await search)).toEqual(idsOf(0, 1));
    });

    it('committed while others are already reading changes are seen by a search that begins after them', async () => {
      const source = new MemoryVectorSource();
      source.commit('acme', rows(0, 2));
      const index = open(source);
      await index.search('acme', MODEL, east, all);
      const read = gate();
      const held = gate();
      source.afterChanges = async () => {
        read.open();
        await held.opened;
      };
      const early = index.search('acme', MODEL, east, all);
      await read.opened;
      source.commit('acme', [row(5)], [idOf(0)]);
      const late = [1, 2, 3].map(() => index.search('acme', MODEL, east, all));
      const before = source.changeReads;
      held.open();
      await early;
      for (const hits of await Promise.all(late)) expect(ids(hits)).toEqual(idsOf(1, 5));
      expect(source.changeReads).toBe(before + 1);
    });

    it('that the source can no longer provide cause a rebuild', async () => {
      const source = new MemoryVectorSource();
      source.commit('acme', rows(0, 3));
      const index = open(source);
      await index.search('acme', MODEL, east, all);
      source.forgottenSeq = source.commit('acme', [], [idOf(1)]);
      expect(ids(await index.search('acme', MODEL, east, all))).toEqual(idsOf(0, 2));
      expect(index.stats()).toMatchObject({ tenants: 1, builds: 2 });
    });

    it('of a tenant that is not in memory load nothing', () => {
      const source = new MemoryVectorSource();
      const index = open(source);
      index.apply('acme', MODEL, { seq: source.commit('acme', [row(1)]), rows: [row(1)], deletedIds: [] });
      expect(index.stats()).toMatchObject({ tenants: 0, vectors: 0, bytes: 0 });
      expect(source.fullReads + source.changeReads).toBe(0);
    });
  });

  describe('memory', () => {
    it('is freed by evicting the least recently searched tenant, which is rebuilt by its next search', async () => {
      const source = new MemoryVectorSource();
      for (const tenant of ['a', 'b', 'c']) source.commit(tenant, rows(0, 100));
      const maxBytes = Math.ceil(bytesOf(100) * 2.5);
      const index = open(source, maxBytes);
      for (const tenant of ['a', 'b', 'a', 'c', 'a']) await index.search(tenant, MODEL, east, all);
      expect(index.stats()).toMatchObject({ tenants: 2, vectors: 200, builds: 3, evictions: 1 });
      expect(index.stats().bytes).toBeLessThanOrEqual(maxBytes);
      source.commit('b', [], [idOf(1)]);
      expect(await index.search('b', MODEL, east, all)).toHaveLength(99);
      expect(index.stats()).toMatchObject({ tenants: 2, builds: 4, evictions: 2, streamed: 0 });
    });

    it('is bounded even while several tenants are built concurrently; a search that gets none still returns results', async () => {
      const source = new MemoryVectorSource();
      const tenants = ['a', 'b', 'c', 'd'];
      for (const tenant of tenants) source.commit(tenant, rows(0, 100));
      const maxBytes = Math.ceil(bytesOf(100) * 1.5);
      const index = open(source, maxBytes);
      const peaks: number[] = [];
      source.beforeBatch = () => void peaks.push(index.stats().bytes);
      const answers = await Promise.all(tenants.map((tenant) => index.search(tenant, MODEL, east, all)));
      expect(answers.map((hits) => hits.length)).toEqual([100, 100, 100, 100]);
      expect(Math.max(...peaks)).toBeLessThanOrEqual(maxBytes);
      expect(index.stats().streamed).toBeGreaterThan(0);
      expect(index.stats().bytes).toBeLessThanOrEqual(maxBytes);
    });

    it('is freed when a tenant outgrows the limit through changes', async () => {
      const source = new MemoryVectorSource();
      source.commit('acme', rows(0, 10));
      const maxBytes = bytesOf(100);
      const index = open(source, maxBytes);
      await index.search('acme', MODEL, east, all);
      source.commit('acme', rows(10, 300));
      expect(await index.search('acme', MODEL, east, all)).toHaveLength(300);
      expect(await index.search('acme', MODEL, east, all)).toHaveLength(300);
      expect(index.stats()).toMatchObject({ tenants: 0, bytes: 0, evictions: 1, streamed: 1 });
    });

    it('is used again for a large tenant once most of it was deleted', async () => {
      const source = new MemoryVectorSource();
      source.commit('acme', rows(0, 300));
      const index = open(source, bytesOf(100));
      expect(await index.search('acme', MODEL, east, all)).toHaveLength(300);
      source.commit(
        'acme',
        [],
        rows(0, 290).map(({ id }) => id),
      );
      for (let turn = 0; turn < 2; turn++)
        expect(await index.search('acme', MODEL, east, all)).toHaveLength(10);
      expect(index.stats()).toMatchObject({ tenants: 1, vectors: 10, builds: 1, streamed: 2 });
    });

    it('does not affect results', async () => {
      const numberOf = fc.integer({ min: 0, max: 60 });
      const query = fc.record({
        limit: fc.integer({ min: 1, max: 9 }),
        channel: fc.option(fc.constantFrom('web', 'sms', 'fax'), { nil: undefined }),
        participantId: fc.option(fc.constantFrom('p0', 'p1'), { nil: undefined }),
        since: fc.option(numberOf, { nil: undefined }),
        until: fc.option(numberOf, { nil: undefined }),
      });
      const changes = fc.array(fc.record({ put: fc.array(numberOf), deleted: fc.array(numberOf) }), {
        maxLength: 6,
      });
      await fc.assert(
        fc.asyncProperty(
          changes,
          fc.array(query, { minLength: 1, maxLength: 4 }),
          async (commits, queries) => {
            const source = new MemoryVectorSource(5, 2);
            const inMemory = open(source);
            const streaming = open(source, 1);
            await inMemory.search('acme', MODEL, east, all);
            // The id of a deleted row is never reused.
            const gone = new Set<number>();
            for (const { put, deleted } of commits) {
              source.commit(
                'acme',
                put.filter((number) => !gone.has(number)).map((number) => row(number)),
              );
              for (const number of deleted) gone.add(number);
              source.commit('acme', [], deleted.map(idOf));
            }
            for (const asked of queries) {
              const hits = await inMemory.search('acme', MODEL, east, asked);
              expect(await streaming.search('acme', MODEL, east, asked)).toEqual(hits);
            }
            expect(inMemory.stats().streamed).toBe(0);
            if (inMemory.stats().vectors > 0) expect(streaming.stats().streamed).toBe(queries.length);
          },
        ),
        { numRuns: 100 },
      );
    });
  });

  describe('faults', () => {
    it('of a build reach all waiting searches, and the next search rebuilds', async () => {
      const source = new MemoryVectorSource();
      source.commit('acme', rows(0, 3));
      source.beforeBatch = () => Promise.reject(new Error('connection lost'));
      const index = open(source);
      const waiting = [1, 2].map(() => index.search('acme', MODEL, east, all));
      for (const search of waiting) await expect(search).rejects.toThrow('connection lost');
      expect(index.stats()).toMatchObject({ tenants: 0, bytes: 0, builds: 0 });
      source.beforeBatch = () => undefined;
      expect(await index.search('acme', MODEL, east, all)).toHaveLength(3);
    });

    it('of a catch-up fail only its search, and lose no change', async () => {
      const source = new MemoryVectorSource();
      source.commit('acme', rows(0, 3));
      const index = open(source);
      await index.search('acme', MODEL, east, all);
      source.commit('acme', [row(5)], [idOf(0)]);
      source.afterChanges = () => Promise.reject(new Error('connection lost'));
      await expect(index.search('acme', MODEL, east, all)).rejects.toThrow('connection lost');
      source.afterChanges = () => undefined;
      expect(ids(await index.search('acme', MODEL, east, all))).toEqual(idsOf(1, 2, 5));
      expect(source.fullReads).toBe(1);
    });

    it('of one row are reported and do not affect the others', async () => {
      const source = new MemoryVectorSource();
      const bad = [row(1, { vector: normalised([1, 1]) }), row(2, { vector: new Float32Array(3).fill(NaN) })];
      source.commit('acme', [row(0), ...bad, row(3)]);
      const reported: string[] = [];
      const onRejected = (tenantId: string, id: string, error: Error): void =>
        void reported.push(`${tenantId} ${id.slice(-1)} ${error.name}`);
      const index = new VectorIndex(source, { maxBytes: MIB, onRejected });
      expect(ids(await index.search('acme', MODEL, east, all))).toEqual(idsOf(0, 3));
      expect(ids(await open(source, 1).search('acme', MODEL, east, all))).toEqual(idsOf(0, 3));
      expect(reported).toEqual(['acme 1 VectorDimensionError', 'acme 2 VectorValueError']);
      expect(index.stats().rejected).toBe(2);
    });

    it('of a query are reported: its dimension, its values, its limit, its abort', async () => {
      const source = new MemoryVectorSource();
      source.commit('acme', rows(0, 3));
      const index = open(source);
      await index.search('acme', MODEL, east, all);
      await expect(index.search('acme', MODEL, new Float32Array(4), all)).rejects.toThrow(
        'The query has 4 dimensions, expected 3',
      );
      await expect(index.search('acme', MODEL, new Float32Array(3).fill(Infinity), all)).rejects.toThrow(
        'finite',
      );
      await expect(index.search('acme', MODEL, east, { limit: 1.5 })).rejects.toThrow(RangeError);
      await expect(index.search('acme', MODEL, east, all, AbortSignal.abort())).rejects.toThrow('aborted');
    });

    it('end with close: a build in progress is aborted, and nothing is kept', async () => {
      const source = new MemoryVectorSource(1);
      source.commit('acme', rows(0, 3));
      const reached = gate();
      const held = gate();
      source.beforeBatch = async () => {
        reached.open();
        await held.opened;
      };
      const index = open(source);
      const search = index.search('acme', MODEL, east, all);
      await reached.opened;
      index.close();
      held.open();
      await expect(search).rejects.toThrow('aborted');
      await expect(index.search('acme', MODEL, east, all)).rejects.toThrow('aborted');
      expect(index.stats()).toMatchObject({ tenants: 0, bytes: 0 });
    });
  });
});
