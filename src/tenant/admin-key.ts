import { hkdfSync, randomBytes } from 'node:crypto';
import { hashApiKey, sameHash } from './api-key.js';

/** The key of the operators. Its text is private to this class. */
export class AdminKey {
  private readonly hash: string;

  private readonly text: string;

  /** @param text undefined in a process that serves nobody, such as a script: then no key matches */
  constructor(text: string | undefined) {
    this.text = text ?? randomBytes(32).toString('base64url');
    this.hash = hashApiKey(this.text);
  }

  matches(text: string): boolean {
    return this.hasHash(hashApiKey(text));
  }

  /** Whether `hash` is that of the admin key, in a time that does not depend on where the two differ. */
  hasHash(hash: string): boolean {
    return sameHash(hash, this.hash);
  }

  /** A secret of 32 bytes for one purpose: the same in each process with this admin key, another one with another key. */
  derive(purpose: string): Buffer {
    return Buffer.from(hkdfSync('sha256', this.text, 'colloquy', purpose, 32));
  }
}
