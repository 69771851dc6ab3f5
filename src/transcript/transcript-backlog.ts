import { Inject, Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { TRANSCRIPT_SETTINGS, type TranscriptSettings } from '../config/index.js';
import { LOGGER, type Logger } from '../logging/index.js';
import { tooManyTranscripts } from './transcript.errors.js';
import { TranscriptRepository } from './transcript.repository.js';

/**
 * How long a count is used without counting again, provided this process has since used less than a quarter
 * of the capacity that was left.
 */
const TRUSTED_MS = 1000;
const TRUSTED_SHARE = 0.25;
const MAX_TENANTS = 10_000;

/** Minimum interval between reads of the figures of all tenants. */
const FIGURES_MS = 1000;

interface TenantCount {
  counted: number;
  countedAt: number;
  /** Accepted by this process since the count started. */
  accepted: number;
  /** Admitted but not yet accepted. */
  pending: number;
  counting: Promise<void> | undefined;
}

/** Reserved capacity for transcripts. `settle` must be called exactly once. */
export interface Admission {
  /** Number of transcripts admitted. */
  readonly count: number;
  /** Releases the reservation and records how many were accepted. */
  settle(accepted: number): void;
}

/** The backlog of all processes together. */
export interface BacklogFigures {
  queued: number;
  processing: number;
  /** Number of transcripts being processed, by tenant. */
  claimed: ReadonlyMap<string, number>;
  /** Age of the oldest transcript in milliseconds; 0 if there is none. */
  oldestMs: number;
}

/** Counts queued transcripts across all processes, to limit them per tenant and to report figures. */
@Injectable()
export class TranscriptBacklog {
  private readonly tenants = new LRUCache<string, TenantCount>({ max: MAX_TENANTS });
  private lastRead: { at: number; figures: Promise<BacklogFigures | null> } | undefined;
  private total = 0;

  constructor(
    private readonly transcripts: TranscriptRepository,
    @Inject(TRANSCRIPT_SETTINGS) private readonly settings: TranscriptSettings,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** Accepted by this process since it started. */
  get accepted(): number {
    return this.total;
  }

  /**
   * Admits up to `wanted` transcripts of one tenant, at least one. A request is never rejected because of an
   * outdated count. Processes that admit concurrently may together exceed the limit by the capacity that each
   * of them saw.
   * @throws ProblemError 429 `transcript_queue_full`
   */
  async admit(tenantId: string, wanted = 1): Promise<Admission> {
    const limit = this.settings.TRANSCRIPT_MAX_QUEUE_SIZE;
    const count = this.countOf(tenantId);
    if (!isTrusted(count, wanted, limit)) await this.recount(tenantId, count);
    const admitted = Math.min(wanted, limit - count.counted - count.accepted - count.pending);
    if (admitted <= 0) throw tooManyTranscripts(limit);
    count.pending += admitted;
    return {
      count: admitted,
      settle: (accepted) => {
        count.pending -= admitted;
        count.accepted += accepted;
        this.total += accepted;
      },
    };
  }

  /** Figures of one tenant. The total is current; `processing` is at most one second old. */
  async ofTenant(tenantId: string): Promise<Pick<BacklogFigures, 'queued' | 'processing'>> {
    const count = await this.transcripts.countQueued(tenantId);
    const claimed = count === 0 ? 0 : ((await this.figures())?.claimed.get(tenantId) ?? 0);
    const processing = Math.min(count, claimed);
    return { queued: count - processing, processing };
  }

  /** Figures of all tenants, at most one second old. Null if the database cannot be reached. */
  figures(): Promise<BacklogFigures | null> {
    const now = performance.now();
    if (!this.lastRead || now - this.lastRead.at > FIGURES_MS)
      this.lastRead = {
        at: now,
        figures: this.read().catch((error: unknown) => {
          this.logger.warn({ err: error }, 'could not count queued transcripts');
          return null;
        }),
      };
    return this.lastRead.figures;
  }

  private async read(): Promise<BacklogFigures> {
    const now = new Date();
    const { count, claimed, oldest } = await this.transcripts.waiting(now);
    const sum = [...claimed.values()].reduce((total, one) => total + one, 0);
    const processing = Math.min(count, sum);
    return {
      queued: count - processing,
      processing,
      claimed,
      oldestMs: oldest ? Math.max(0, now.getTime() - oldest.getTime()) : 0,
    };
  }

  private countOf(tenantId: string): TenantCount {
    const known = this.tenants.get(tenantId);
    if (known) return known;
    const count = { counted: 0, countedAt: -Infinity, accepted: 0, pending: 0, counting: undefined };
    this.tenants.set(tenantId, count);
    return count;
  }

  /** Callers that arrive during a count wait for its result. */
  private recount(tenantId: string, count: TenantCount): Promise<void> {
    count.counting ??= this.countAgain(tenantId, count).finally(() => {
      count.counting = undefined;
    });
    return count.counting;
  }

  private async countAgain(tenantId: string, count: TenantCount): Promise<void> {
    const before = count.accepted;
    count.counted = await this.transcripts.countQueued(tenantId);
    count.countedAt = performance.now();
    count.accepted -= before;
  }
}

function isTrusted(
  { counted, countedAt, accepted, pending }: TenantCount,
  wanted: number,
  limit: number,
): boolean {
  const room = limit - counted;
  const used = accepted + pending + wanted;
  return (
    performance.now() - countedAt < TRUSTED_MS &&
    used <= Math.max(1, Math.floor(room * TRUSTED_SHARE)) &&
    used <= room
  );
}
