import { createHash } from 'node:crypto';
import { createApiKey, hashApiKey, keyIdOf, sameHash, unknownKeyHash } from './api-key.js';

describe('API keys', () => {
  it('contain an id for lookup and 32 random bytes', () => {
    const { text, keyId } = createApiKey();
    const match = /^ck_([0-9a-f]{16})_([A-Za-z0-9_-]+)$/.exec(text);
    expect(match?.[1]).toBe(keyId);
    expect(Buffer.from(match?.[2] ?? '', 'base64url')).toHaveLength(32);
    expect(keyIdOf(text)).toBe(keyId);
  });

  it('are all different', () => {
    const keys = Array.from({ length: 100 }, createApiKey);
    expect(new Set(keys.map(({ keyId }) => keyId)).size).toBe(100);
    expect(new Set(keys.map(({ hash }) => hash)).size).toBe(100);
  });

  it('are stored as the SHA-256 of the whole text, which neither hash nor hint reveals', () => {
    const { text, hash, hint } = createApiKey();
    expect(hash).toBe(createHash('sha256').update(text).digest('base64url'));
    expect(text.startsWith(hint)).toBe(true);
    expect(text.length - hint.length).toBeGreaterThan(35);
  });

  it.each([
    '',
    'ck_',
    'ck_0123456789abcdef_short',
    'xx_0123456789abcdef_' + 'a'.repeat(43),
    'ck_0123456789ABCDEF_' + 'a'.repeat(43),
  ])('have no id when the text is malformed: %p', (text) => {
    expect(keyIdOf(text)).toBeUndefined();
  });

  it('match their own hash only', () => {
    const [one, other] = [createApiKey(), createApiKey()];
    expect(sameHash(one.hash, hashApiKey(one.text))).toBe(true);
    expect(sameHash(one.hash, other.hash)).toBe(false);
    expect(sameHash(one.hash, one.hash.slice(1))).toBe(false);
  });

  it('never match the placeholder hash for unknown keys, which has the same length', () => {
    expect(unknownKeyHash).toHaveLength(createApiKey().hash.length);
    expect(Buffer.from(unknownKeyHash, 'base64url').toString('base64url')).not.toBe(createApiKey().hash);
  });
});
