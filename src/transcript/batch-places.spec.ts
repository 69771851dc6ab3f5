import { batchPlaces, batchSize } from './batch-places.js';

describe('batchPlaces', () => {
  it.each([
    { wanted: 3, processors: 1, places: 1 },
    { wanted: 3, processors: 2, places: 1 },
    { wanted: 3, processors: 3, places: 2 },
    { wanted: 3, processors: 8, places: 3 },
    { wanted: 1, processors: 8, places: 1 },
  ])(
    'leaves a processor free of an embedder on this machine: $wanted wanted, $processors there',
    ({ wanted, processors, places }) => {
      expect(batchPlaces(wanted, { isLocal: true }, processors)).toBe(places);
    },
  );

  it('gives as many as are wanted when the embedder is another machine', () => {
    expect(batchPlaces(3, { isLocal: false }, 2)).toBe(3);
    expect(batchPlaces(3, {}, 2)).toBe(3);
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
  ])('grows with what waits, by shares: $waiting wait, $free places', ({ waiting, free, size }) => {
    expect(batchSize(waiting, free, between)).toBe(size);
  });

  it('is never below the size that makes a batch due', () => {
    expect(batchSize(5000, 1, { min: 200, max: 100 })).toBe(200);
  });
});
