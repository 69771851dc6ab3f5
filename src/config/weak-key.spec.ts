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
    ['my-super-secret-admin-key-for-production', 'consists of common words'],
    ['replace-with-a-strong-random-admin-key', 'consists of common words'],
    ['ThisIsMyAdminKeyDoNotShareItPlease2026', 'consists of common words'],
    ['the quick brown fox jumps over the lazy dog', 'consists of common words'],
    ['3141592653589793238462643383270', 'consists of digits'],
  ])('%s %s', (key, reason) => {
    expect(weaknessOf(key)).toBe(reason);
  });

  it('accepts random keys in any usual encoding', () => {
    for (let i = 0; i < 200; i++)
      for (const encoding of ['base64', 'base64url', 'hex'] as const)
        expect(weaknessOf(randomBytes(24).toString(encoding))).toBeUndefined();
  });
});
