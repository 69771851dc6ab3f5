import fc from 'fast-check';
import { RedisKeys } from './redis-key.js';

describe('RedisKeys', () => {
  const keys = new RedisKeys('colloquy', 'cache');

  it('puts all keys of a tenant under one hash tag', () => {
    expect(keys.of('acme', 'entry', 'plan', '1')).toBe('colloquy:{acme}:cache:entry:plan:1');
    expect(keys.channel).toBe('colloquy:bus:cache');
  });

  it('escapes characters that would end the tag or a part', () => {
    expect(keys.of('a}b', 'x:y', '*')).toBe('colloquy:{a%7Db}:cache:x%3Ay:%2a');
  });

  it('builds different keys for different lists of parts', () => {
    const part = fc.string({ unit: 'grapheme', maxLength: 6 });
    const parts = fc.tuple(part, fc.array(part, { maxLength: 4 }));
    fc.assert(
      fc.property(parts, parts, ([tenantA, a], [tenantB, b]) => {
        const isSame = tenantA === tenantB && a.length === b.length && a.every((text, i) => text === b[i]);
        expect(keys.of(tenantA, ...a) === keys.of(tenantB, ...b)).toBe(isSame);
      }),
    );
  });
});
