import { loadSettings } from '../config/index.js';
import { createLogger } from '../logging/index.js';
import { TranscriptBacklog } from './transcript-backlog.js';
import type { TranscriptRepository } from './transcript.repository.js';

describe('TranscriptBacklog', () => {
  /** Queued rows of all processes. */
  let queued: number;
  let counts: number;
  let looks: number;

  const backlogOf = (limit: number): TranscriptBacklog => {
    const repository: Partial<TranscriptRepository> = {
      countQueued: () => {
        counts++;
        return Promise.resolve(queued);
      },
      waiting: () => {
        looks++;
        return Promise.resolve({
          count: 3,
          claimed: new Map([['acme', 1]]),
          oldest: new Date(Date.now() - 5000),
        });
      },
    };
    const { transcript } = loadSettings({ TRANSCRIPT_MAX_QUEUE_SIZE: String(limit) });
    const logger = createLogger({ level: 'silent', pretty: false });
    return new TranscriptBacklog(repository as TranscriptRepository, transcript, logger);
  };
  const accept = async (backlog: TranscriptBacklog, tenantId = 'acme'): Promise<void> => {
    const admission = await backlog.admit(tenantId);
    queued++;
    admission.settle(1);
  };

  beforeEach(() => {
    queued = 0;
    counts = 0;
    looks = 0;
  });

  it('counts occasionally, not for each request', async () => {
    const backlog = backlogOf(10_000);
    for (let n = 0; n < 2000; n++) await accept(backlog);
    expect(counts).toBeLessThan(20);
  });

  it('rejects beyond the limit, whichever process accepted the queued transcripts', async () => {
    const backlog = backlogOf(5);
    for (let n = 0; n < 3; n++) await accept(backlog);
    queued += 2;
    await expect(backlog.admit('acme')).rejects.toMatchObject({ problem: { code: 'transcript_queue_full' } });
    await expect(backlog.admit('another')).rejects.toMatchObject({ problem: { status: 429 } });
  });

  it('never rejects because of an outdated count', async () => {
    const backlog = backlogOf(5);
    for (let n = 0; n < 5; n++) await accept(backlog);
    await expect(backlog.admit('acme')).rejects.toMatchObject({ problem: { status: 429 } });
    queued = 4;
    await accept(backlog);
    expect(queued).toBe(5);
  });

  it('admits no more than the limit concurrently, and counts once for all callers that wait for a count', async () => {
    const backlog = backlogOf(5);
    const admissions = await Promise.allSettled(Array.from({ length: 20 }, () => backlog.admit('acme')));
    expect(admissions.filter(({ status }) => status === 'fulfilled')).toHaveLength(5);
    expect(counts).toBe(1);
  });

  it('releases the capacity of transcripts that were not accepted', async () => {
    const backlog = backlogOf(1);
    (await backlog.admit('acme')).settle(0);
    await accept(backlog);
    expect(backlog.accepted).toBe(1);
  });

  it('admits as many of several as the limit allows', async () => {
    queued = 7;
    expect((await backlogOf(10).admit('acme', 5)).count).toBe(3);
  });

  it('reads the figures of all tenants once for concurrent callers', async () => {
    const backlog = backlogOf(10);
    const [figures] = await Promise.all([backlog.figures(), backlog.figures(), backlog.figures()]);
    expect(figures).toMatchObject({ queued: 2, processing: 1 });
    expect(figures?.oldestMs).toBeGreaterThanOrEqual(5000);
    expect(looks).toBe(1);
    queued = 3;
    expect(await backlog.ofTenant('acme')).toEqual({ queued: 2, processing: 1 });
    expect(await backlog.ofTenant('shop')).toEqual({ queued: 3, processing: 0 });
  });
});
