import { batchPlaces } from './batch-places.js';

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
