import { hash, randomBytes, timingSafeEqual } from 'node:crypto';

/** A new key. `text` is shown to the tenant once; the rest is stored. */
export interface NewApiKey {
  text: string;
  keyId: string;
  hash: string;
  hint: string;
}

// keyId is hexadecimal, so the underscore after it is always the separator; base64url text may contain
// underscores.
const shape = /^ck_([0-9a-f]{16})_[A-Za-z0-9_-]{43}$/;

/**
 * Hashes a key with SHA-256, as base64url. A fast hash is sufficient: the secret is 256 random bits, which
 * cannot be guessed or enumerated. Slow hashes protect passwords chosen by people; here they would only slow
 * down every request.
 */
export const hashApiKey = (text: string): string => hash('sha256', text, 'base64url');

/** Creates a key `ck_<keyId>_<secret>`: 8 random bytes for lookup and a secret of 32 random bytes. */
export function createApiKey(): NewApiKey {
  const keyId = randomBytes(8).toString('hex');
  const secret = randomBytes(32).toString('base64url');
  const text = `ck_${keyId}_${secret}`;
  return { text, keyId, hash: hashApiKey(text), hint: `ck_${keyId}_${secret.slice(0, 4)}` };
}

/** Returns the keyId of a well-formed key, otherwise undefined. */
export const keyIdOf = (text: string): string | undefined => shape.exec(text)?.[1];

/** Compares hashes from `hashApiKey` in constant time. */
export function sameHash(left: string, right: string): boolean {
  const [a, b] = [Buffer.from(left), Buffer.from(right)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/**
 * Unknown keys are compared with this value, so that they take as much time as wrong ones. No text has this
 * hash.
 */
export const unknownKeyHash = '-'.repeat(hashApiKey('').length);
