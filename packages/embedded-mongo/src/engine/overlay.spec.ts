import fc from 'fast-check';
import { compareBytes, keyText } from './key-layout.js';
import { Overlay } from './overlay.js';
import type { Entry, KeyRange, View } from './view.js';

/** A view over a plain map. */
const viewOf = (entries: Map<string, Uint8Array>): View => {
  const inRange = ({ low, high, reverse }: KeyRange): Entry[] => {
    const found = [...entries]
      .map(([text, value]) => ({ key: Buffer.from(text, 'latin1'), value }))
      .filter(({ key }) => compareBytes(key, low) >= 0 && compareBytes(key, high) < 0)
      .sort((a, b) => compareBytes(a.key, b.key));
    return reverse ? found.reverse() : found;
  };
  return {
    get: (key) => entries.get(keyText(key)),
    has: (key) => entries.has(keyText(key)),
    entries: inRange,
    keys: (range) => inRange(range).map(({ key }) => key),
  };
};

const bytes = fc
  .uint8Array({ minLength: 1, maxLength: 3, max: 255 })
  .map((array) => array.map((byte) => byte & 0xc3));

describe('a transaction overlay', () => {
  it('reads as if its writes had been applied to the underlying view', () => {
    fc.assert(
      fc.property(
        fc.array(bytes, { maxLength: 30 }),
        fc.array(fc.tuple(bytes, fc.boolean()), { maxLength: 1_200 }),
        fc.array(fc.tuple(bytes, bytes, fc.boolean()), { minLength: 1, maxLength: 8 }),
        (below, writes, ranges) => {
          const base = new Map(below.map((key) => [keyText(key), Uint8Array.of(0)]));
          const model = new Map(base);
          const overlay = new Overlay(viewOf(base));
          writes.forEach(([key, isPut], i) => {
            if (isPut) {
              overlay.put(key, Uint8Array.of(1, i & 255));
              model.set(keyText(key), Uint8Array.of(1, i & 255));
            } else {
              overlay.remove(key);
              model.delete(keyText(key));
            }
          });
          const expected = viewOf(model);
          for (const [low, high, reverse] of ranges) {
            const range = { low, high, reverse };
            const shown = (entries: Iterable<Entry>) =>
              [...entries].map(({ key, value }) => [keyText(key), [...value]]);
            expect(shown(overlay.entries(range))).toEqual(shown(expected.entries(range)));
            expect([...overlay.keys(range)].map(keyText)).toEqual([...expected.keys(range)].map(keyText));
            expect(overlay.get(low)).toEqual(expected.get(low));
            expect(overlay.has(high)).toBe(expected.has(high));
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});
