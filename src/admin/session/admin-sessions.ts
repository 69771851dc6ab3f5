import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** Lifetime of a session, in milliseconds. */
export const SESSION_MS = 12 * 3_600_000;

const shape = /^([0-9a-z]{1,11})\.([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{43})$/;

/**
 * Issues and verifies proofs of a sign-in: `<end of the session>.<random>.<signature>`. Nothing is stored;
 * every process with the same secret accepts the proofs of the others.
 */
export class AdminSessions {
  constructor(
    private readonly secret: Buffer,
    private readonly now: () => number,
  ) {}

  issue(): string {
    const content = `${(this.now() + SESSION_MS).toString(36)}.${randomBytes(16).toString('base64url')}`;
    return `${content}.${this.sign(content)}`;
  }

  isValid(proof: string): boolean {
    return this.endOf(proof) !== undefined;
  }

  /**
   * Returns when the session ends, in milliseconds since 1970, or undefined for a forged or expired proof.
   */
  endOf(proof: string): number | undefined {
    const [, end, nonce, signature] = shape.exec(proof) ?? [];
    if (end === undefined || nonce === undefined || signature === undefined) return undefined;
    const wanted = Buffer.from(this.sign(`${end}.${nonce}`));
    if (!timingSafeEqual(Buffer.from(signature), wanted)) return undefined;
    const endsAt = parseInt(end, 36);
    return endsAt > this.now() ? endsAt : undefined;
  }

  private sign(content: string): string {
    return createHmac('sha256', this.secret).update(content).digest('base64url');
  }
}
