import { Types } from 'mongoose';
import { FairShare } from './fair-share.js';

/** Jobs that wait, by tenant, and the number of reads. */
function setUp(concurrency: number, waiting: Record<string, number>) {
  const calls = { reads: 0 };
  const jobs = {
    nextWaiting: (_queue: string, after: string) => {
      calls.reads++;
      const next = Object.keys(waiting)
        .filter((tenantId) => tenantId > after && (waiting[tenantId] ?? 0) > 0)
        .toSorted()[0];
      return Promise.resolve(next === undefined ? null : { _id: new Types.ObjectId(), tenantId: next });
    },
  };
  const fair = new FairShare({ name: 'q', concurrency }, jobs);
  /** Starts the next job, and returns its tenant. */
  const start = async (): Promise<string | undefined> => {
    const job = await fair.next();
    if (!job) return undefined;
    waiting[job.tenantId] = (waiting[job.tenantId] ?? 0) - 1;
    fair.begun(job.tenantId);
    return job.tenantId;
  };
  const startAll = async (count: number): Promise<(string | undefined)[]> => {
    const started: (string | undefined)[] = [];
    while (started.length < count) started.push(await start());
    return started;
  };
  return { fair, waiting, calls, start, startAll };
}

describe('FairShare', () => {
  it('gives all places to a tenant that is alone', async () => {
    const { startAll } = setUp(4, { noisy: 10 });
    expect(await startAll(4)).toEqual(['noisy', 'noisy', 'noisy', 'noisy']);
  });

  it('gives a tenant at most half of the places while others wait', async () => {
    const { startAll } = setUp(4, { noisy: 100, quiet: 100 });
    expect((await startAll(4)).toSorted()).toEqual(['noisy', 'noisy', 'quiet', 'quiet']);
  });

  it('gives the next free place to the tenant that waits, however many jobs another has', async () => {
    const { fair, waiting, start, startAll } = setUp(4, { noisy: 10_000 });
    await startAll(4);
    waiting['quiet'] = 1;
    fair.ended('noisy');
    expect(await start()).toBe('quiet');
  });

  it('lets tenants take turns, also with a single place', async () => {
    const { fair, waiting, start } = setUp(1, { a: 3, b: 1, c: 2 });
    const order: (string | undefined)[] = [];
    for (let n = 0; n < 6; n++) {
      const tenantId = await start();
      order.push(tenantId);
      fair.ended(String(tenantId));
    }
    expect(order).toEqual(['a', 'b', 'c', 'a', 'c', 'a']);
    expect(Object.values(waiting)).toEqual([0, 0, 0]);
    expect(await start()).toBeUndefined();
  });

  it('puts a job back only if its tenant has more than its share and another tenant waits', async () => {
    const { fair, waiting, startAll } = setUp(4, { noisy: 10 });
    await startAll(3);
    expect(await fair.mustYield('noisy')).toBe(false);
    waiting['quiet'] = 1;
    expect(await fair.mustYield('noisy')).toBe(true);
    fair.ended('noisy');
    expect(await fair.mustYield('noisy')).toBe(false);
    fair.begun('quiet');
    expect(await fair.mustYield('quiet')).toBe(false);
  });

  it('reads a number of jobs that does not depend on how many wait', async () => {
    const { calls, start, startAll } = setUp(4, { noisy: 1_000_000, quiet: 1 });
    await startAll(3);
    calls.reads = 0;
    await start();
    expect(calls.reads).toBeLessThanOrEqual(4);
  });
});
