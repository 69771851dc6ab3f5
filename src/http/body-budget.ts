import type { ServerResponse } from 'node:http';
import { Counts } from '../common/index.js';
import { ProblemError } from './problem.js';
import { isClosed, whenClosed } from './response-closed.js';

const tooManyLargeBodies = (): ProblemError =>
  new ProblemError({
    status: 503,
    code: 'too_many_large_bodies',
    title: 'Too many large request bodies are in progress',
    detail:
      'Requests of this tenant with large bodies have not been completed yet. Send fewer of them at once.',
    retryAfterSeconds: 1,
  });

/** Limits the memory that the bodies of one tenant's requests take. */
export class BodyBudget {
  private readonly held = new Counts();

  /** `maxBytes` limits the bodies of one tenant's requests in progress. A single larger one is accepted. */
  constructor(private readonly maxBytes: number) {}

  /**
   * Returns a function that counts bytes of the body of one request, before or while they arrive, until its
   * response is closed. It throws a ProblemError 503 `too_many_large_bodies` if they exceed the budget.
   */
  open(tenantId: string, response: ServerResponse): (bytes: number) => void {
    let own = 0;
    return (bytes) => {
      if (isClosed(response)) return;
      const total = this.held.of(tenantId);
      if (total > own && total + bytes > this.maxBytes) throw tooManyLargeBodies();
      if (own === 0) whenClosed(response, () => this.held.add(tenantId, -own));
      own += bytes;
      this.held.add(tenantId, bytes);
    };
  }
}
