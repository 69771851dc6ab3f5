import type { TransactionRunner } from '../database/index.js';
import type { TranscriptRepository } from './transcript.repository.js';
import type { CounterRecord } from './transcript.schema.js';
import { TranscriptVectors } from './transcript-vectors.js';

/**
 * Creates vectors over a tenant whose counter has these values in turn, and records the reads with their
 * transactions.
 */
function vectorsOver(...counters: [seq: number, forgottenSeq: number][]) {
  const left = [...counters];
  const reads: string[] = [];
  let transactions = 0;
  let current: number | undefined;
  const read = <T>(what: string, value: T): Promise<T> => {
    reads.push(current === undefined ? what : `${what} in ${current}`);
    return Promise.resolve(value);
  };
  const counter = (): CounterRecord | null => {
    const next = left.shift();
    return next ? { tenantId: 'acme', seq: next[0], forgottenSeq: next[1] } : null;
  };
  const source = {
    counter: () => read('counter', counter()),
    changedBetween: () => read('changed', []),
    deletedBetween: () => read('deleted', []),
    vectors: () => read('vectors', []),
  } satisfies Partial<TranscriptRepository>;
  const runner = {
    run: async (work: () => Promise<unknown>) => {
      current = ++transactions;
      return work().finally(() => (current = undefined));
    },
  };
  const vectors = new TranscriptVectors(
    source as Partial<TranscriptRepository> as TranscriptRepository,
    runner as Partial<TransactionRunner> as TransactionRunner,
  );
  return { vectors, reads };
}

describe('TranscriptVectors', () => {
  it('reads the counter, rows and tombstones of changes from one snapshot', async () => {
    const { vectors, reads } = vectorsOver([9, 0], [9, 6]);
    expect(await vectors.changes('acme', 'model', 6)).toEqual({
      rows: [],
      deletedIds: [],
      cursor: 9,
      hasMore: false,
    });
    expect(reads).toEqual(['counter', 'counter in 1', 'changed in 1', 'deleted in 1']);
  });

  it('reads nothing more when nothing has changed', async () => {
    const { vectors, reads } = vectorsOver([6, 6]);
    expect(await vectors.changes('acme', 'model', 6)).toMatchObject({ cursor: 6, hasMore: false });
    expect(reads).toEqual(['counter']);
  });

  it.each<[string, [number, number][]]>([
    [
      'tombstones were deleted',
      [
        [9, 7],
        [9, 7],
      ],
    ],
    [
      'tombstones were deleted between the reads',
      [
        [9, 0],
        [9, 7],
      ],
    ],
    [
      'the counter is behind, as after a restore',
      [
        [5, 0],
        [5, 0],
      ],
    ],
    ['the tenant was erased', []],
  ])('returns no changes if %s', async (_what, counters) => {
    expect(await vectorsOver(...counters).vectors.changes('acme', 'model', 6)).toBeUndefined();
  });

  it('reads the head, and each page of vectors, from a snapshot', async () => {
    const { vectors, reads } = vectorsOver([9, 0]);
    expect(await vectors.head('acme')).toBe(9);
    for await (const page of vectors.vectors('acme', 'model', new AbortController().signal))
      expect(page).toEqual([]);
    expect(reads).toEqual(['counter in 1', 'vectors in 2']);
  });
});
