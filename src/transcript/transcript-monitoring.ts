import { Inject, Injectable } from '@nestjs/common';
import { MONITORING_SETTINGS, type MonitoringSettings } from '../config/index.js';
import { counter, type ExportedMetric, gauge, type HealthFinding, Monitoring } from '../monitoring/index.js';
import { TranscriptBacklog } from './transcript-backlog.js';
import { type ProcessTranscriptStats, TranscriptStats } from './transcript-stats.js';

/** Transcripts in the snapshot. What waits is of all processes; completed, dead and retries are of this process since its start. */
export interface TranscriptsSection {
  queued: number;
  processing: number;
  completed: number;
  dead: number;
  retries: number;
  /** How long the oldest that waits has waited; 0 when none waits. */
  oldestMs: number;
  indexVectors: number;
  indexBytes: number;
}

type Reading = [name: string, help: string, read: (stats: ProcessTranscriptStats) => number];

const counters: readonly Reading[] = [
  [
    'colloquy_transcripts_accepted_total',
    'Transcripts accepted by this process, replays included',
    ({ accepted }) => accepted,
  ],
  ['colloquy_transcripts_stored_total', 'Transcripts stored with a vector', ({ completed }) => completed],
  [
    'colloquy_transcripts_dead_total',
    'Transcripts that were given up, stored without a vector',
    ({ dead }) => dead,
  ],
  ['colloquy_transcript_batches_total', 'Batches that were stored', ({ batches }) => batches],
  [
    'colloquy_transcript_batch_retries_total',
    'Batches that failed as a whole and were put back',
    ({ retries }) => retries,
  ],
  ['colloquy_transcript_embed_seconds_total', 'Time of embedding', ({ embedMs }) => embedMs / 1000],
  ['colloquy_transcript_store_seconds_total', 'Time of storing', ({ storeMs }) => storeMs / 1000],
  ['colloquy_transcript_searches_total', 'Searches of vectors', ({ index }) => index.searches],
];

const gauges: readonly Reading[] = [
  [
    'colloquy_transcript_index_vectors',
    'Vectors in the memory of this process',
    ({ index }) => index.vectors,
  ],
  ['colloquy_transcript_index_bytes', 'Memory of these vectors', ({ index }) => index.bytes],
];

/** What this module contributes to monitoring: what waits in all processes, and what this process has done. */
@Injectable()
export class TranscriptMonitoring {
  private reading: ProcessTranscriptStats | undefined;

  constructor(
    private readonly transcripts: TranscriptStats,
    private readonly backlog: TranscriptBacklog,
    monitoring: Monitoring,
    @Inject(MONITORING_SETTINGS) private readonly settings: MonitoringSettings,
  ) {
    monitoring.contribute<TranscriptsSection>({
      metrics: this.metrics(),
      health: [{ name: 'transcripts', kind: 'degrading', run: () => this.check() }],
      snapshot: {
        name: 'transcripts',
        read: () => this.section(),
        alerts: (section) => [
          {
            name: 'backlog:transcripts',
            title: 'The age of the oldest transcript that is not stored',
            unit: 'ms',
            levels: settings.ALERT_BACKLOG_AGE_MS,
            value: section?.oldestMs,
          },
        ],
      },
    });
  }

  private metrics(): ExportedMetric[] {
    const optionsOf = ([name, help, read]: Reading) => ({
      name,
      help,
      read: (set: (value: number) => void): void => {
        set(read(this.stats()));
      },
    });
    return [
      ...counters.map((reading) => counter(optionsOf(reading))),
      ...gauges.map((reading) => gauge(optionsOf(reading))),
      counter({
        name: 'colloquy_transcript_embedding_cache_lookups_total',
        help: 'Texts to embed that were known (hit) or not (miss)',
        labelNames: ['result'],
        read: (set) => {
          const { hits, misses } = this.stats().embeddingCache;
          set(hits, { result: 'hit' });
          set(misses, { result: 'miss' });
        },
      }),
      gauge({
        name: 'colloquy_transcripts_waiting',
        help: 'Transcripts that wait, all processes together: queued, or processing (in a batch at work)',
        labelNames: ['state'],
        read: async (set) => {
          const figures = await this.backlog.figures();
          if (!figures) return;
          set(figures.queued, { state: 'queued' });
          set(figures.processing, { state: 'processing' });
        },
      }),
      gauge({
        name: 'colloquy_transcripts_oldest_seconds',
        help: 'How long the oldest of them has waited',
        read: async (set) => {
          const figures = await this.backlog.figures();
          if (figures) set(figures.oldestMs / 1000);
        },
      }),
    ];
  }

  private async section(): Promise<TranscriptsSection | null> {
    const figures = await this.backlog.figures();
    if (!figures) return null;
    const { queued, processing, oldestMs } = figures;
    const { completed, dead, retries, index } = this.transcripts.ofProcess();
    return {
      queued,
      processing,
      oldestMs,
      completed,
      dead,
      retries,
      indexVectors: index.vectors,
      indexBytes: index.bytes,
    };
  }

  /**
   * Transcripts that wait for too long make the process degraded and never down: all processes see the same backlog, so that a 503 would take
   * every one of them out of service at once.
   */
  private async check(): Promise<HealthFinding> {
    const figures = await this.backlog.figures();
    if (!figures) return { status: 'degraded', reason: 'waiting transcripts cannot be counted' };
    const { queued, processing, oldestMs } = figures;
    const details = { waiting: queued + processing, oldestMs };
    if (oldestMs <= this.settings.HEALTH_BACKLOG_MAX_AGE_MS) return { status: 'up', details };
    return {
      status: 'degraded',
      reason: `a transcript has been waiting for ${Math.round(oldestMs / 1000)} s`,
      details,
    };
  }

  /** One reading for all metrics of a scrape, which are collected in the same turn. */
  private stats(): ProcessTranscriptStats {
    if (!this.reading) {
      this.reading = this.transcripts.ofProcess();
      setImmediate(() => {
        this.reading = undefined;
      });
    }
    return this.reading;
  }
}
