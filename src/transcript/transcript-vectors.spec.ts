import type { TranscriptRepository } from './transcript.repository.js';
import type { CounterRecord } from './transcript.schema.js';
import { TranscriptVectors } from './transcript-vectors.js';

describe('TranscriptVectors.changes', () => {
  const counterOf = (seq: number, forgottenSeq: number): CounterRecord => ({
    tenantId: 'acme',
    seq,
    forgottenSeq,
  });

  /** Vectors over a tenant whose counter shows these values one after the other. */
  function vectorsOver(...counters: CounterRecord[]): TranscriptVectors {
    const left = [...counters];
    const source = {
      counter: () => Promise.resolve(left.shift() ?? null),
      changedBetween: () => Promise.resolve([]),
      deletedBetween: () => Promise.resolve([]),
    } satisfies Partial<TranscriptRepository>;
    return new TranscriptVectors(source as Partial<TranscriptRepository> as TranscriptRepository);
  }

  it('cannot tell of tombstones that were forgotten while it read them', async () => {
    const vectors = vectorsOver(counterOf(9, 0), counterOf(9, 7));
    expect(await vectors.changes('acme', 'model', 6)).toBeUndefined();
  });

  it('tells of the changes when those forgotten lie before them', async () => {
    const vectors = vectorsOver(counterOf(9, 0), counterOf(9, 6));
    expect(await vectors.changes('acme', 'model', 6)).toEqual({
      rows: [],
      deletedIds: [],
      cursor: 9,
      hasMore: false,
    });
  });

  it('cannot tell when the tenant was erased meanwhile', async () => {
    expect(await vectorsOver(counterOf(9, 0)).changes('acme', 'model', 6)).toBeUndefined();
  });
});
