import type { JobKey, JobRepository } from './job.repository.js';
import type { QueueDeclaration } from './queue-definition.js';

/** The part of the jobs that decides whose turn it is. */
export type WaitingJobs = Pick<JobRepository, 'nextWaiting'>;

/**
 * Shares the places of one queue in this process among tenants. They take turns, and while others wait, a
 * tenant uses at most half of the places, and at least one. A tenant that is alone may use all of them.
 */
export class FairShare {
  private readonly running = new Map<string, number>();
  private readonly share: number;
  /** The tenant whose turn was last. */
  private served = '';

  constructor(
    private readonly definition: Pick<QueueDeclaration, 'name' | 'concurrency'>,
    private readonly jobs: WaitingJobs,
  ) {
    this.share = Math.max(1, Math.floor(definition.concurrency / 2));
  }

  begun(tenantId: string): void {
    this.running.set(tenantId, this.runningOf(tenantId) + 1);
    this.served = tenantId;
  }

  ended(tenantId: string): void {
    const left = this.runningOf(tenantId) - 1;
    if (left > 0) this.running.set(tenantId, left);
    else this.running.delete(tenantId);
  }

  /** The waiting job whose turn it is, or undefined if none is waiting. */
  async next(): Promise<JobKey | undefined> {
    let first: JobKey | undefined;
    for await (const job of this.firstOfEachTenant()) {
      if (!this.hasShare(job.tenantId)) return job;
      first ??= job;
    }
    return first;
  }

  /**
   * Whether the job of this tenant that has just begun must be put back, because with it the tenant has more
   * than its share, and another one is waiting.
   */
  async mustYield(tenantId: string): Promise<boolean> {
    if (this.runningOf(tenantId) <= this.share) return false;
    const next = await this.next();
    return next !== undefined && !this.hasShare(next.tenantId);
  }

  private runningOf(tenantId: string): number {
    return this.running.get(tenantId) ?? 0;
  }

  private hasShare(tenantId: string): boolean {
    return this.runningOf(tenantId) >= this.share;
  }

  /**
   * The next job of each tenant with waiting jobs, beginning after the tenant whose turn was last. At most a
   * few are read: only tenants that have their share are passed over.
   */
  private async *firstOfEachTenant(): AsyncGenerator<JobKey> {
    const { name } = this.definition;
    const last = this.served;
    for (
      let job = await this.jobs.nextWaiting(name, last);
      job;
      job = await this.jobs.nextWaiting(name, job.tenantId)
    )
      yield job;
    if (last === '') return;
    for (
      let job = await this.jobs.nextWaiting(name, '');
      job && job.tenantId <= last;
      job = await this.jobs.nextWaiting(name, job.tenantId)
    )
      yield job;
  }
}
