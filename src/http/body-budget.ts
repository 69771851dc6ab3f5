import type { ServerResponse } from 'node:http';
import type { FastifyRequest } from 'fastify';
import { ProblemError } from './problem.js';

/** Bodies up to this size, in bytes, are not counted. */
const SMALL = 64 * 1024;
/** Counted for a body that does not announce its size, bytes. */
const UNANNOUNCED = 1024 * 1024;

const tooManyLargeBodies = (): ProblemError =>
  new ProblemError({
    status: 503,
    code: 'too_many_large_bodies',
    title: 'Too many large request bodies are in progress',
    detail:
      'Requests of this tenant with large bodies have not been completed yet. Send fewer of them at once.',
    retryAfterSeconds: 1,
  });

/** Returns the announced size of a request's body, in bytes; 0 if it has none. */
export function bodyBytesOf({ headers }: Pick<FastifyRequest, 'headers'>): number {
  const announced = headers['content-length'];
  if (announced !== undefined) return Number(announced);
  return headers['transfer-encoding'] === undefined ? 0 : UNANNOUNCED;
}

/** Limits the memory that the bodies of one tenant's requests take. */
export class BodyBudget {
  private readonly tenants = new Map<string, number>();

  /** `maxBytes` limits the announced sizes of the bodies of one tenant's requests in progress. */
  constructor(private readonly maxBytes: number) {}

  /**
   * Must be called before the body of a request is read. Counts it until the response is closed.
   * @throws ProblemError 503 `too_many_large_bodies`
   */
  take(tenantId: string, request: Pick<FastifyRequest, 'headers'>, response: ServerResponse): void {
    const bytes = bodyBytesOf(request);
    // A client that has disconnected closes the response no second time.
    if (bytes <= SMALL || response.destroyed) return;
    const used = this.tenants.get(tenantId) ?? 0;
    if (used > 0 && used + bytes > this.maxBytes) throw tooManyLargeBodies();
    this.tenants.set(tenantId, used + bytes);
    response.once('close', () => {
      const left = (this.tenants.get(tenantId) ?? 0) - bytes;
      if (left > 0) this.tenants.set(tenantId, left);
      else this.tenants.delete(tenantId);
    });
  }
}
