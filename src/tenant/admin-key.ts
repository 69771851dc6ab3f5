import { hkdfSync, randomBytes } from 'node:crypto';
import { hashApiKey, sameHash } from './api-key.js';

/** The operators' API key. Its text is private to this class. */
export class AdminKey {
  private readonly hash: string;

  private readonly text: string;

  /** @param text undefined in a process that serves no requests, such as a script; then no key matches */
  constructor(text: string | undefined) {
    this.text = text ?? randomBytes(32).toString('base64url');
    this.hash = hashApiKey(this.text);
  }

  matches(text: string): boolean {
    return this.hasHash(hashApiKey(text));
  }

  /** Compares `hash` with that of the admin key, in constant time. */
  hasHash(hash: string): boolean {
    return sameHash(hash, this.hash);
  }

  /**
   * Derives a secret of 32 bytes for one purpose. It is the same in every process with this admin key, and
   * changes with the key.
   */
  derive(purpose: string): Buffer {
    return Buffer.from(hkdfSync('sha256', this.text, 'colloquy', purpose, 32));
  }
}
