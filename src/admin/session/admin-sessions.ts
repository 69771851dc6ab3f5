import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** Lifetime of a session, in milliseconds. */
export const SESSION_MS = 12 * 3_600_000;

const shape = /^([0-9a-z]{1,11})\.([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{43})$/;

/** A session whose proof is valid. */
export interface ActiveSession {
  /** Identifies the session; unlike its proof, it authenticates nobody. */
  id: string;
  /** Milliseconds since 1970. */
  endsAt: number;
}

/**
 * Issues and verifies proofs of a sign-in: `<end of the session>.<random id>.<signature>`. Nothing is stored;
 * every process with the same secret accepts the proofs of the others. `EndedSessions` has those that were
 * ended before they expired.
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

  /** Returns the session of a proof; undefined if the proof is forged or the session has expired. */
  find(proof: string): ActiveSession | undefined {
    const [, end, id, signature] = shape.exec(proof) ?? [];
    if (end === undefined || id === undefined || signature === undefined) return undefined;
    const wanted = Buffer.from(this.sign(`${end}.${id}`));
    if (!timingSafeEqual(Buffer.from(signature), wanted)) return undefined;
    const endsAt = parseInt(end, 36);
    return endsAt > this.now() ? { id, endsAt } : undefined;
  }

  private sign(content: string): string {
    return createHmac('sha256', this.secret).update(content).digest('base64url');
  }
}
