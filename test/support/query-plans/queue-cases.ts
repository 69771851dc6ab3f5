import { Types } from 'mongoose';
import type { JobRecord } from '../../../src/queue/job.schema.js';
import type { JobRepository } from '../../../src/queue/job.repository.js';
import type { RateLimitRepository } from '../../../src/queue/rate-limit.repository.js';
import { at, type Cases, id, once, pages, tenantId } from './cases.js';

/** Not a queue of the application, so its workers ignore these jobs. */
const queue = 'plans';
const hex = id.toHexString();
const later = new Date(at.getTime() + 60_000);
const key = { _id: id, tenantId };
const newJob = (): JobRecord => ({
  _id: new Types.ObjectId(),
  tenantId,
  queue,
  payload: {},
  state: 'waiting',
  priority: 0,
  dueAt: at,
  attempts: 0,
  progress: 0,
  failures: [],
  isUnhanded: true,
  createdAt: at,
  updatedAt: at,
});

/** A finished job, for the methods that count or delete finished jobs. */
async function finish(jobs: JobRepository, state: 'completed' | 'failed'): Promise<void> {
  await jobs.insert(newJob());
  const next = await jobs.nextWaiting(queue, '');
  const job = next && (await jobs.claimWaiting(next, 'claim', at, later));
  const failure = { at, attempt: 1, message: 'no' };
  if (job)
    await jobs.end(job, 'claim', state === 'failed' ? { state, failure } : { state, result: null }, later);
}

export const jobCases: Cases<JobRepository> = {
  insert: once((jobs) => jobs.insert({ ...newJob(), dedupeKey: 'd' })),
  findByDedupeKey: once((jobs) => jobs.findByDedupeKey(tenantId, queue, 'd')),
  find: once((jobs) => jobs.find(tenantId, queue, hex)),
  findAny: once((jobs) => jobs.findAny(queue, hex)),
  nextWaiting: once((jobs) => jobs.nextWaiting(queue, '')),
  claimWaiting: once((jobs) => jobs.claimWaiting(key, 'claim', at, later)),
  claimOne: once((jobs) => jobs.claimOne(tenantId, hex, 'claim', at, later)),
  prolong: once((jobs) => jobs.prolong(key, 'claim', later, 50)),
  end: once((jobs) => jobs.end(key, 'claim', { state: 'waiting' }, at)),
  release: once((jobs) => jobs.release(queue, later)),
  nextRelease: once((jobs) => jobs.nextRelease(queue)),
  unhanded: once((jobs) => jobs.unhanded(queue, 10)),
  markHanded: once((jobs) => jobs.markHanded(key)),
  overdue: once((jobs) => jobs.overdue(queue, later, 10)),
  retry: once((jobs) => jobs.retry({ ...key, queue }, at)),
  promote: once((jobs) => jobs.promote({ ...key, queue }, at)),
  remove: once((jobs) => jobs.remove({ ...key, queue })),
  forEach: once((jobs) => jobs.forEach(tenantId, () => undefined)),
  ofTenant: once((jobs) => jobs.ofTenant(tenantId, 10)),
  deleteAll: once((jobs) => jobs.deleteAll(tenantId, [new Types.ObjectId()])),
  scrub: once((jobs) => jobs.scrub(tenantId, [id], ['summary'])),
  scrubFinished: once((jobs) => jobs.scrubFinished(queue, ['summary'])),
  list: pages((jobs, after) => jobs.list(queue, 'failed', 10, after)),
  finishedBefore: {
    'first page': (jobs) => jobs.finishedBefore(tenantId, later, undefined, 10),
    'next page': (jobs) => jobs.finishedBefore(tenantId, later, { id, at }, 10),
  },
  countOf: once((jobs) => jobs.countOf(tenantId)),
  deleteUnchanged: once((jobs) => jobs.deleteUnchanged(tenantId, { _id: id, state: 'failed', dueAt: at })),
  slice: once((jobs) => jobs.slice(queue, 'failed', 10, 10)),
  counts: once((jobs) => jobs.counts(queue)),
  countUnhanded: once((jobs) => jobs.countUnhanded(queue)),
  oldestWaiting: once((jobs) => jobs.oldestWaiting(queue)),
  prune: once(async (jobs) => {
    await finish(jobs, 'completed');
    await finish(jobs, 'failed');
    await jobs.prune(queue, 'completed', 0);
    await jobs.prune(queue, 'failed', 0);
  }),
};

const limit = { max: 1, perMs: 1000 };

export const rateLimitCases: Cases<RateLimitRepository> = {
  take: once(async (limits) => {
    const name = new Types.ObjectId().toHexString();
    // The first window starts with an insert, the next one with an update.
    await limits.take(name, limit, at);
    await limits.take(name, limit, later);
  }),
};
