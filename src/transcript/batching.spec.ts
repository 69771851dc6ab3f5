import { batchSize, concurrentBatches, fairShare } from './batching.js';

describe('concurrentBatches', () => {
  it.each([
    { wanted: 3, processors: 1, batches: 1 },
    { wanted: 3, processors: 2, batches: 1 },
    { wanted: 3, processors: 3, batches: 2 },
    { wanted: 3, processors: 8, batches: 3 },
    { wanted: 1, processors: 8, batches: 1 },
  ])(
    'leaves one processor free if the embedder is local: $wanted wanted, $processors available',
    ({ wanted, processors, batches }) => {
      expect(concurrentBatches(wanted, { isLocal: true }, processors)).toBe(batches);
    },
  );

  it('allows as many as wanted if the embedder is remote', () => {
    expect(concurrentBatches(3, { isLocal: false }, 2)).toBe(3);
    expect(concurrentBatches(3, {}, 2)).toBe(3);
  });
});

describe('batchSize', () => {
  const between = { min: 10, max: 100 };

  it.each([
    { waiting: 4, free: 3, size: 10 },
    { waiting: 10, free: 3, size: 10 },
    { waiting: 60, free: 3, size: 20 },
    { waiting: 60, free: 1, size: 60 },
    { waiting: 5000, free: 3, size: 100 },
  ])(
    'is an even share of the waiting transcripts: $waiting waiting, $free may start',
    ({ waiting, free, size }) => {
      expect(batchSize(waiting, free, between)).toBe(size);
    },
  );

  it('is never smaller than the size at which a batch is due', () => {
    expect(batchSize(5000, 1, { min: 200, max: 100 })).toBe(200);
  });
});

describe('fairShare', () => {
  const of = (tenantId: string, ...numbers: number[]) => numbers.map((n) => ({ tenantId, n }));
  const waiting = [...of('busy', 1, 2, 3, 4, 5), ...of('calm', 6), ...of('other', 7, 8)];

  it("takes one of each tenant in turn, in the tenant's order", () => {
    expect(fairShare(waiting, 5).map(({ n }) => n)).toEqual([1, 6, 7, 2, 8]);
    expect(fairShare(waiting, 7).map(({ n }) => n)).toEqual([1, 6, 7, 2, 8, 3, 4]);
  });

  it('takes all if there are no more than the size', () => {
    expect(fairShare(waiting, 8)).toEqual(waiting);
    expect(fairShare([], 8)).toEqual([]);
  });
});
