import { Inject, Injectable } from '@nestjs/common';
import { TRANSCRIPT_SETTINGS, type TranscriptSettings } from '../config/index.js';
import {
  EMBEDDER,
  type CachedEmbedder,
  type EmbeddingCacheStats,
  VectorIndex,
  type VectorIndexStats,
} from '../search/index.js';
import { TranscriptBacklog } from './transcript-backlog.js';
import type { TenantTranscriptStats } from './transcript-operations.dto.js';
import { TranscriptRepository } from './transcript.repository.js';
import { TranscriptWorker, type WorkerStats } from './transcript.worker.js';

/** Statistics of this process since it started. */
export interface ProcessTranscriptStats extends WorkerStats {
  accepted: number;
  /** Same as `dead`: transcripts that finally failed, including replays. */
  failed: number;
  embeddingCache: EmbeddingCacheStats;
  index: VectorIndexStats;
}

/**
 * Adds the backlog of all tenants and processes; null if the database cannot be reached. For operators only.
 */
export interface OperatorTranscriptStats extends ProcessTranscriptStats {
  queued: number | null;
  processing: number | null;
  oldestMs: number | null;
}

/** Provides transcript statistics. */
@Injectable()
export class TranscriptStats {
  constructor(
    private readonly worker: TranscriptWorker,
    private readonly backlog: TranscriptBacklog,
    private readonly transcripts: TranscriptRepository,
    private readonly index: VectorIndex,
    @Inject(EMBEDDER) private readonly embedder: CachedEmbedder,
    @Inject(TRANSCRIPT_SETTINGS) private readonly settings: TranscriptSettings,
  ) {}

  /** Statistics of one tenant across all processes. */
  async ofTenant(tenantId: string): Promise<TenantTranscriptStats> {
    const waiting = await this.backlog.ofTenant(tenantId);
    const counter = await this.transcripts.counter(tenantId);
    const { stored = 0, dead = 0, failures = 0, batches = 0, batched = 0 } = counter ?? {};
    return {
      ...waiting,
      queueLimit: this.settings.TRANSCRIPT_MAX_QUEUE_SIZE,
      completed: stored,
      failed: failures,
      dead,
      batches,
      meanBatchSize: batches === 0 ? null : batched / batches,
    };
  }

  ofProcess(): ProcessTranscriptStats {
    const stats = this.worker.stats();
    return {
      accepted: this.backlog.accepted,
      ...stats,
      failed: stats.dead,
      embeddingCache: this.embedder.stats(),
      index: this.index.stats(),
    };
  }

  async ofAll(): Promise<OperatorTranscriptStats> {
    const { queued, processing, oldestMs } = (await this.backlog.figures()) ?? {
      queued: null,
      processing: null,
      oldestMs: null,
    };
    return { queued, processing, oldestMs, ...this.ofProcess() };
  }
}
