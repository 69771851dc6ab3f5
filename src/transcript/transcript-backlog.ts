import { Inject, Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { TRANSCRIPT_SETTINGS, type TranscriptSettings } from '../config/index.js';
import { LOGGER, type Logger } from '../logging/index.js';
import { tooManyTranscripts } from './transcript.errors.js';
import { TranscriptRepository } from './transcript.repository.js';

/** A count is trusted for this long, and while this process has used less than a quarter of the room that it showed. */
const TRUSTED_MS = 1000;
const TRUSTED_SHARE = 0.25;
const MAX_TENANTS = 10_000;

/** Figures of all tenants are read at most this often, however many ask. */
const FIGURES_MS = 1000;

interface TenantCount {
  counted: number;
  countedAt: number;
  /** Accepted by this process since the count began. */
  accepted: number;
  /** Admitted, and not accepted yet. */
  pending: number;
  counting: Promise<void> | undefined;
}

/** Room for transcripts; to be ended with `settle`, once. */
export interface Admission {
  /** For how many there is room. */
  readonly count: number;
  /** So many were accepted. */
  settle(accepted: number): void;
}

/** What waits in all processes together. */
export interface BacklogFigures {
  queued: number;
  processing: number;
  /** Those at work, by tenant. */
  claimed: ReadonlyMap<string, number>;
  /** How long the oldest has waited; 0 when none waits. */
  oldestMs: number;
}

/** Transcripts that wait, counted over all processes: who may add to them, and how they are doing. */
@Injectable()
export class TranscriptBacklog {
  private readonly tenants = new LRUCache<string, TenantCount>({ max: MAX_TENANTS });
  private look: { at: number; figures: Promise<BacklogFigures | null> } | undefined;
  private total = 0;

  constructor(
    private readonly transcripts: TranscriptRepository,
    @Inject(TRANSCRIPT_SETTINGS) private readonly settings: TranscriptSettings,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** Accepted by this process since it began. */
  get accepted(): number {
    return this.total;
  }

  /**
   * Admits up to `wanted` of one tenant, at least one. Nothing is refused by an old count; processes that admit at the same moment may together exceed
   * the limit by what each had been shown as room.
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

  /** Of one tenant: all of them as they are now, `processing` a second old at most. */
  async ofTenant(tenantId: string): Promise<Pick<BacklogFigures, 'queued' | 'processing'>> {
    const count = await this.transcripts.countQueued(tenantId);
    const claimed = count === 0 ? 0 : ((await this.figures())?.claimed.get(tenantId) ?? 0);
    const processing = Math.min(count, claimed);
    return { queued: count - processing, processing };
  }

  /** Of all tenants, a second old at most; null while the database cannot be asked. */
  figures(): Promise<BacklogFigures | null> {
    const now = performance.now();
    if (!this.look || now - this.look.at > FIGURES_MS)
      this.look = {
        at: now,
        figures: this.read().catch((error: unknown) => {
          this.logger.warn({ err: error }, 'transcripts that wait could not be counted');
          return null;
        }),
      };
    return this.look.figures;
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

  /** Callers that come while a count is under way wait for that one. */
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
