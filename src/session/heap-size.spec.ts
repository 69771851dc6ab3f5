import { heapSizeOf } from './heap-size.js';
import { freshState } from './session-changes.js';

const sizeOf = (context: Record<string, unknown>): number =>
  heapSizeOf({ ...freshState('acme', 'ann', new Date(0), 1), id: 'a', context });

describe('heapSizeOf', () => {
  // Heap size of each, measured on Node 20; see heap-size.ts.
  it.each<[string, Record<string, unknown>, number]>([
    ['text', { t: 'x'.repeat(20_000) }, 20_800],
    ['non-Latin text', { t: '日'.repeat(20_000) }, 40_786],
    ['empty objects', { l: Array(5000).fill({}) }, 319_363],
    ['empty arrays', { l: Array(5000).fill([]) }, 200_688],
    ['small integers', { l: Array(10_000).fill(7) }, 80_717],
    ['doubles', { l: Array.from({ length: 5000 }, (_, i) => i + 0.5) }, 120_824],
    ['many members', Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`k_${i}`, i])), 273_524],
  ])('is between 0.9 and 2 times the heap size of %s', (_name, context, heap) => {
    const size = sizeOf(context);
    expect(size).toBeGreaterThan(0.9 * heap);
    expect(size).toBeLessThan(2 * heap);
  });
});
