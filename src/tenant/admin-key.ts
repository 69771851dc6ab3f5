import { hkdfSync } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { hashApiKey, sameHash } from './api-key.js';
import { ADMIN_API_KEY_VALUE } from './tenant.tokens.js';

/** The key of the operators. Its text stays in here. */
@Injectable()
export class AdminKey {
  private readonly hash: string;

  constructor(@Inject(ADMIN_API_KEY_VALUE) private readonly text: string) {
    this.hash = hashApiKey(text);
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
