import { Inject, Injectable } from '@nestjs/common';
import { TRANSCRIPT_SETTINGS, type TranscriptSettings } from '../config/index.js';
import type { JournalStats } from '../journal/index.js';
import { EMBEDDER } from './embedding/embedder.js';
import type { CachedEmbedder, EmbeddingCacheStats } from './embedding/embedding-cache.js';
import { VectorIndex, type VectorIndexStats } from './search/vector-index.js';
import { TranscriptJournal } from './transcript-journal.js';
import type { TenantTranscriptStats } from './transcript-operations.dto.js';
import { type PipelineStats, TranscriptPipeline } from './transcript.pipeline.js';
import { TranscriptRepository } from './transcript.repository.js';

/** Of this process and all its tenants: for operators alone. */
export interface ProcessTranscriptStats extends PipelineStats {
  /** The same as `dead`: what was given up, replays included. */
  failed: number;
  embeddingCache: EmbeddingCacheStats;
  journal: JournalStats;
  index: VectorIndexStats;
}

/** What the transcripts come to. */
@Injectable()
export class TranscriptStats {
  constructor(
    private readonly pipeline: TranscriptPipeline,
    private readonly transcripts: TranscriptRepository,
    private readonly journal: TranscriptJournal,
    private readonly index: VectorIndex,
    @Inject(EMBEDDER) private readonly embedder: CachedEmbedder,
    @Inject(TRANSCRIPT_SETTINGS) private readonly settings: TranscriptSettings,
  ) {}

  /** What waits is that of this process; what is stored is that of all, from the tenant's counters. */
  async ofTenant(tenantId: string): Promise<TenantTranscriptStats> {
    const counter = await this.transcripts.counter(tenantId);
    const { stored = 0, dead = 0, failures = 0, batches = 0, batched = 0 } = counter ?? {};
    return {
      ...this.pipeline.statsOf(tenantId),
      queueLimit: this.settings.TRANSCRIPT_MAX_QUEUE_SIZE,
      completed: stored,
      failed: failures,
      dead,
      batches,
      meanBatchSize: batches === 0 ? null : batched / batches,
    };
  }

  ofProcess(): ProcessTranscriptStats {
    const stats = this.pipeline.stats();
    return {
      ...stats,
      failed: stats.dead,
      embeddingCache: this.embedder.stats(),
      journal: this.journal.stats(),
      index: this.index.stats(),
    };
  }
}
