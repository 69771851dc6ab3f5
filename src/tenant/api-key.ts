import { hash, randomBytes, timingSafeEqual } from 'node:crypto';

/** A key as it is made: `text` goes to the tenant once, the rest is stored. */
export interface NewApiKey {
  text: string;
  keyId: string;
  hash: string;
  hint: string;
}

// keyId is hexadecimal so that the underscore after it is the only one that separates; base64url text may hold underscores.
const shape = /^ck_([0-9a-f]{16})_[A-Za-z0-9_-]{43}$/;

/**
 * SHA-256, base64url. A fast hash is enough here: the secret is 256 random bits, which no dictionary holds and nobody can
 * enumerate. Slow hashes protect passwords that people chose; on every request they would only cost time.
 */
export const hashApiKey = (text: string): string => hash('sha256', text, 'base64url');

/** `ck_<keyId>_<secret>`: 8 random bytes to find the key by, 32 random bytes that prove it. */
export function createApiKey(): NewApiKey {
  const keyId = randomBytes(8).toString('hex');
  const secret = randomBytes(32).toString('base64url');
  const text = `ck_${keyId}_${secret}`;
  return { text, keyId, hash: hashApiKey(text), hint: `ck_${keyId}_${secret.slice(0, 4)}` };
}

/** The keyId of a text in the form of a key. */
export const keyIdOf = (text: string): string | undefined => shape.exec(text)?.[1];

/** Compares hashes of `hashApiKey` in a time that does not depend on where they differ. */
export function sameHash(left: string, right: string): boolean {
  const [a, b] = [Buffer.from(left), Buffer.from(right)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** What unknown keys are compared with, so that they take the same work as wrong ones; no text has it as its hash. */
export const unknownKeyHash = '-'.repeat(hashApiKey('').length);
