import { MAX_ENCODED_KEY, prefixEnd, upperBoundKey } from './key-layout.js';

const bytes = (...values: number[]): Uint8Array => new Uint8Array(values);

describe('the end of a prefix', () => {
  it.each([
    [bytes(1, 2), bytes(1, 3)],
    [bytes(1, 0xff), bytes(2)],
    [bytes(1, 0xff, 0xff), bytes(2)],
    [bytes(0xff), new Uint8Array(8).fill(0xff)],
  ])('of %j is the first key after all that begin with it', (prefix, end) => {
    expect(prefixEnd(prefix)).toEqual(end);
  });

  it('does not modify the prefix, even if it is a Buffer', () => {
    const prefix = Buffer.from([1, 2]);
    prefixEnd(prefix);
    expect([...prefix]).toEqual([1, 2]);
    const long = Buffer.alloc(MAX_ENCODED_KEY + 100, 7);
    upperBoundKey(long);
    expect(long.every((byte) => byte === 7)).toBe(true);
  });
});
