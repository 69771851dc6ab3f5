import { hkdfSync, randomBytes } from 'node:crypto';
import { hashApiKey, sameHash } from './api-key.js';

/** The operators' API key. Its text is private to this class. */
export class AdminKey {
  private readonly hash: string;

  private readonly text: string;

  private readonly metricsTokenHash: string | undefined;

  /**
   * @param text undefined in a process that serves no requests, such as a script; then no key matches
   * @param metricsToken see `isMetricsToken`
   */
  constructor(text: string | undefined, metricsToken?: string) {
    this.text = text ?? randomBytes(32).toString('base64url');
    this.hash = hashApiKey(this.text);
    this.metricsTokenHash = metricsToken === undefined ? undefined : hashApiKey(metricsToken);
  }

  matches(text: string): boolean {
    return this.hasHash(hashApiKey(text));
  }

  /** Whether the text is METRICS_TOKEN, which is sent in place of a key and is not a wrong one. */
  isMetricsToken(text: string): boolean {
    return this.metricsTokenHash !== undefined && sameHash(hashApiKey(text), this.metricsTokenHash);
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
