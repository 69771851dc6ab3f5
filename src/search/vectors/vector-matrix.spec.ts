import fc from 'fast-check';
import { idOf, normalised } from '../../../test/support/memory-vector-source.js';
import { dotProduct } from './dot-product.js';
import { matches, type VectorQuery } from './vector-filter.js';
import { VectorMatrix } from './vector-matrix.js';
import type { VectorRow } from './vector-source.js';
import { VectorDimensionError, VectorValueError } from './vector.errors.js';

const DIMENSION = 5;
const channels = ['web', 'sms', 'whatsapp'];
const people = ['ann', 'bob', 'cem', 'dee'];

const vectorOf = fc
  .array(fc.integer({ min: -3, max: 3 }), { minLength: DIMENSION, maxLength: DIMENSION })
  .map(normalised);
const rowOf: fc.Arbitrary<VectorRow> = fc.record({
  id: fc.integer({ min: 0, max: 40 }).map(idOf),
  vector: vectorOf,
  channel: fc.constantFrom(...channels),
  participantId: fc.constantFrom(...people),
  at: fc.integer({ min: 0, max: 20 }),
});
const queryOf = fc.record({
  limit: fc.integer({ min: 1, max: 12 }),
  channel: fc.option(fc.constantFrom(...channels, 'fax'), { nil: undefined }),
  participantId: fc.option(fc.constantFrom(...people, 'nobody'), { nil: undefined }),
  since: fc.option(fc.integer({ min: 0, max: 20 }), { nil: undefined }),
  until: fc.option(fc.integer({ min: 0, max: 20 }), { nil: undefined }),
});

type Step =
  | { do: 'upsert'; row: VectorRow }
  | { do: 'delete'; id: string }
  | { do: 'search'; vector: Float32Array; query: VectorQuery };
const stepOf: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: rowOf.map((row): Step => ({ do: 'upsert', row })) },
  {
    weight: 3,
    arbitrary: fc.integer({ min: 0, max: 40 }).map((id): Step => ({ do: 'delete', id: idOf(id) })),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('search' as const), vector: vectorOf, query: queryOf }),
  },
);

/**
 * Expects the same result as filtering and sorting a list. The same dot product makes the scores identical to
 * the bit.
 */
function expectAnswer(
  matrix: VectorMatrix,
  oracle: ReadonlyMap<string, VectorRow>,
  vector: Float32Array,
  query: VectorQuery,
): void {
  const all = [...oracle.values()]
    .filter((row) => matches(row, query))
    .map((row) => ({ id: row.id, score: dotProduct(vector, row.vector, 0) }))
    .sort((a, b) => b.score - a.score || (a.id < b.id ? -1 : 1));
  expect(matrix.search(vector, query)).toEqual(all.slice(0, query.limit));
}

const row = (number: number, more: Partial<VectorRow> = {}): VectorRow => ({
  id: idOf(number),
  vector: normalised([Math.cos(number), Math.sin(number), 0, 0, 0]),
  channel: 'web',
  participantId: `p${number % 10}`,
  at: number,
  ...more,
});
const put = (matrix: VectorMatrix, added: VectorRow): void => matrix.upsert(added.id, added.vector, added);
const east = normalised([1, 0, 0, 0, 0]);

describe('dotProduct', () => {
  it('is the sum of the products, for each length and offset', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: -9, max: 9 }), fc.integer({ min: -9, max: 9 })), {
          maxLength: 20,
        }),
        fc.nat(5),
        (pairs, offset) => {
          const query = Float32Array.from(pairs, ([a]) => a);
          const vectors = Float32Array.from([...Array<number>(offset).fill(99), ...pairs.map(([, b]) => b)]);
          let sum = 0;
          for (const [a, b] of pairs) sum += a * b;
          expect(dotProduct(query, vectors, offset) + 0).toBe(sum + 0);
        },
      ),
    );
  });
});

describe('VectorMatrix', () => {
  it('returns the same as a filtered and sorted list, after any inserts, replacements and deletions', () => {
    fc.assert(
      fc.property(fc.array(stepOf, { maxLength: 120 }), (steps) => {
        const matrix = new VectorMatrix(DIMENSION);
        const oracle = new Map<string, VectorRow>();
        for (const step of steps) {
          if (step.do === 'upsert') {
            put(matrix, step.row);
            oracle.set(step.row.id, step.row);
          } else if (step.do === 'delete') {
            expect(matrix.delete(step.id)).toBe(oracle.delete(step.id));
          } else {
            expectAnswer(matrix, oracle, step.vector, step.query);
          }
          expect(matrix.size).toBe(oracle.size);
        }
        expectAnswer(matrix, oracle, east, { limit: 50 });
      }),
      { numRuns: 300 },
    );
  });

  it('finds every row across blocks, and releases blocks when rows are deleted', () => {
    const matrix = new VectorMatrix(DIMENSION);
    const oracle = new Map<string, VectorRow>();
    for (let number = 0; number < 10_000; number++) {
      oracle.set(idOf(number), row(number));
      put(matrix, row(number));
    }
    const full = matrix.bytes;
    expectAnswer(matrix, oracle, east, { limit: 20_000 });
    for (let number = 0; number < 10_000; number++) {
      if (number % 20 === 0) continue;
      oracle.delete(idOf(number));
      matrix.delete(idOf(number));
    }
    expectAnswer(matrix, oracle, east, { limit: 20_000 });
    expect(matrix.bytes).toBeLessThan(full / 1.4);
    for (const id of oracle.keys()) matrix.delete(id);
    expect(matrix.size).toBe(0);
    // One of three blocks is left.
    expect(matrix.bytes).toBeLessThan(4_096 * 40);
    expect(matrix.search(east, { limit: 5 })).toEqual([]);
  });

  it('orders equal scores by id, even at the limit', () => {
    const matrix = new VectorMatrix(DIMENSION);
    for (const number of [5, 3, 9, 1, 7, 2]) put(matrix, row(number, { vector: east }));
    expect(matrix.search(east, { limit: 3 }).map(({ id }) => id)).toEqual([idOf(1), idOf(2), idOf(3)]);
  });

  it('treats since as inclusive and until as exclusive', () => {
    const matrix = new VectorMatrix(DIMENSION);
    for (let number = 0; number < 6; number++) put(matrix, row(number, { vector: east }));
    const hits = matrix.search(east, { limit: 9, since: 2, until: 4 });
    expect(hits.map(({ id }) => id)).toEqual([idOf(2), idOf(3)]);
  });

  it('copies the vectors', () => {
    const matrix = new VectorMatrix(DIMENSION);
    const vector = Float32Array.from(east);
    put(matrix, row(1, { vector }));
    vector.fill(0);
    expect(matrix.search(east, { limit: 1 })).toEqual([{ id: idOf(1), score: 1 }]);
  });

  it('yields to the event loop and returns the same results', async () => {
    const matrix = new VectorMatrix(DIMENSION);
    for (let number = 0; number < 20_000; number++) put(matrix, row(number));
    let turns = 0;
    const tick = (): void => {
      turns++;
      next = setImmediate(tick);
    };
    let next = setImmediate(tick);
    const hits = await matrix.searchInTurns(east, { limit: 10 });
    clearImmediate(next);
    expect(turns).toBeGreaterThanOrEqual(2);
    expect(hits).toEqual(matrix.search(east, { limit: 10 }));
  });

  it('finds each unchanged row exactly once, and no deleted ones, if rows change during a search', async () => {
    const matrix = new VectorMatrix(DIMENSION);
    const total = 20_000;
    for (let number = 0; number < total; number++) put(matrix, row(number));
    const search = matrix.searchInTurns(east, { limit: 2 * total });
    // The first slice is done. Rows in it and in later slices are deleted, one is deleted and inserted again,
    // and new ones are inserted.
    const deleted = new Set<string>();
    for (let number = 0; number < total; number += 3) deleted.add(idOf(number));
    for (const id of deleted) matrix.delete(id);
    put(matrix, row(3));
    deleted.delete(idOf(3));
    for (let number = total; number < total + 500; number++) put(matrix, row(number));
    const found = (await search).map(({ id }) => id);
    expect(new Set(found).size).toBe(found.length);
    expect(found.filter((id) => deleted.has(id))).toEqual([]);
    const stayed = Array.from({ length: total }, (_, number) => number).filter((number) => number % 3 !== 0);
    const seen = new Set(found);
    expect(stayed.filter((number) => !seen.has(idOf(number)))).toEqual([]);
    expect(matrix.search(east, { limit: 2 * total })).toHaveLength(matrix.size);
  });

  it('ends an aborted search, and then fills the holes', async () => {
    const matrix = new VectorMatrix(DIMENSION);
    for (let number = 0; number < 10_000; number++) put(matrix, row(number));
    const abort = new AbortController();
    const search = matrix.searchInTurns(east, { limit: 3 }, abort.signal);
    const full = matrix.bytes;
    for (let number = 0; number < 9_900; number++) matrix.delete(idOf(number));
    abort.abort();
    await expect(search).rejects.toThrow('aborted');
    expect(matrix.bytes).toBeLessThan(full);
    expect(matrix.search(east, { limit: 200 })).toHaveLength(100);
  });

  it('rejects vectors of another dimension, values that are not finite, and a limit below 1', () => {
    const matrix = new VectorMatrix(DIMENSION);
    put(matrix, row(1));
    expect(() => put(matrix, row(2, { vector: new Float32Array(4) }))).toThrow(
      new VectorDimensionError(`The vector of ${idOf(2)}`, 4, 5),
    );
    expect(() => put(matrix, row(2, { vector: new Float32Array(5).fill(NaN) }))).toThrow(VectorValueError);
    expect(() => put(matrix, row(2, { at: NaN }))).toThrow(VectorValueError);
    expect(() => matrix.search(new Float32Array(6), { limit: 1 })).toThrow(
      'The query has 6 dimensions, expected 5',
    );
    expect(() => matrix.search(east, { limit: 0 })).toThrow(RangeError);
    expect(() => new VectorMatrix(0)).toThrow(RangeError);
    expect(matrix.size).toBe(1);
  });

  it('counts the bytes of its arrays', () => {
    const matrix = new VectorMatrix(256);
    const vector = new Float32Array(256);
    for (let number = 0; number < 4_096; number++) put(matrix, row(number, { vector }));
    expect(matrix.bytes).toBeGreaterThan(4_096 * 1_040);
    expect(matrix.bytes).toBeLessThan(4_096 * 1_160);
    expect(VectorMatrix.bytesFor(4_096, 256)).toBeLessThanOrEqual(matrix.bytes);
  });
});
