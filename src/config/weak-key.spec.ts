import { randomBytes } from 'node:crypto';
import { weaknessOf } from './weak-key.js';

describe('weaknessOf', () => {
  it.each([
    ['short', 'has fewer than 24 characters'],
    ['kX9-vQ2_mB7rT4wZ8nL1pY6', 'has fewer than 24 characters'],
    ['x'.repeat(32), 'has fewer than 10 different characters'],
    ['aabbccddaabbccddaabbccddaabbccdd', 'has fewer than 10 different characters'],
    ['kX9-vQ2_mBkX9-vQ2_mBkX9-vQ2_mB', 'repeats a short text'],
    ['0123456789abcdef0123456789abcdef', 'is a sequence of characters'],
    ['abcdefghijklmnopqrstuvwxyz', 'is a sequence of characters'],
    ['please-change-me-before-use', 'is or contains a well-known example'],
    ['my-very-long-Password-2026', 'is or contains a well-known example'],
    ['your-admin-api-key-goes-here', 'is or contains a well-known example'],
  ])('%s %s', (key, reason) => {
    expect(weaknessOf(key)).toBe(reason);
  });

  it('accepts random keys in any usual encoding', () => {
    for (let i = 0; i < 200; i++)
      for (const encoding of ['base64', 'base64url', 'hex'] as const)
        expect(weaknessOf(randomBytes(24).toString(encoding))).toBeUndefined();
  });
});
