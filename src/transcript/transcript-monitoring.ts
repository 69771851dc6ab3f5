import { Inject, Injectable } from '@nestjs/common';
import { MONITORING_SETTINGS, type MonitoringSettings } from '../config/index.js';
import { counter, type ExportedMetric, gauge, type HealthFinding, Monitoring } from '../monitoring/index.js';
import { TranscriptBacklog } from './transcript-backlog.js';
import { type ProcessTranscriptStats, TranscriptStats } from './transcript-stats.js';

/**
 * The `transcripts` section of the snapshot. `queued`, `processing` and `oldestMs` cover all processes;
 * completed, dead and retries only this process since its start.
 */
export interface TranscriptsSection {
  queued: number;
  processing: number;
  completed: number;
  dead: number;
  retries: number;
  /** How long the oldest waiting transcript has been waiting, milliseconds; 0 if none is waiting. */
  oldestMs: number;
  indexVectors: number;
  indexBytes: number;
}

type Reading = [name: string, help: string, read: (stats: ProcessTranscriptStats) => number];

const counters: readonly Reading[] = [
  [
    'colloquy_transcripts_accepted_total',
    'Transcripts accepted by this process, including replays',
    ({ accepted }) => accepted,
  ],
  ['colloquy_transcripts_stored_total', 'Transcripts stored with a vector', ({ completed }) => completed],
  [
    'colloquy_transcripts_dead_total',
    'Dead letters: transcripts that could not be embedded and were stored without a vector',
    ({ dead }) => dead,
  ],
  ['colloquy_transcript_batches_total', 'Batches stored', ({ batches }) => batches],
  [
    'colloquy_transcript_batch_retries_total',
    'Batches that failed as a whole and were queued again',
    ({ retries }) => retries,
  ],
  ['colloquy_transcript_embed_seconds_total', 'Time spent embedding', ({ embedMs }) => embedMs / 1000],
  ['colloquy_transcript_store_seconds_total', 'Time spent storing', ({ storeMs }) => storeMs / 1000],
  ['colloquy_transcript_searches_total', 'Vector searches', ({ index }) => index.searches],
];

const gauges: readonly Reading[] = [
  [
    'colloquy_transcript_index_vectors',
    'Vectors in the memory of this process',
    ({ index }) => index.vectors,
  ],
  ['colloquy_transcript_index_bytes', 'Memory used by these vectors', ({ index }) => index.bytes],
];

/**
 * Metrics, health check and snapshot section of transcripts: the backlog of all processes, and the work of
 * this process.
 */
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
            title: 'The age of the oldest unfinished transcript',
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
        help: 'Texts to embed that were in the cache (hit) or not (miss)',
        labelNames: ['result'],
        read: (set) => {
          const { hits, misses } = this.stats().embeddingCache;
          set(hits, { result: 'hit' });
          set(misses, { result: 'miss' });
        },
      }),
      gauge({
        name: 'colloquy_transcripts_waiting',
        help: 'Unfinished transcripts of all processes: queued, or processing (in a batch)',
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
        help: 'How long the oldest of them has been waiting',
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
   * Transcripts that wait too long make the process degraded, never down. All processes see the same backlog,
   * so a 503 would take all of them out of service at once.
   */
  private async check(): Promise<HealthFinding> {
    const figures = await this.backlog.figures();
    if (!figures) return { status: 'degraded', reason: 'the backlog of transcripts could not be read' };
    const { queued, processing, oldestMs } = figures;
    const details = { waiting: queued + processing, oldestMs };
    if (oldestMs <= this.settings.HEALTH_BACKLOG_MAX_AGE_MS) return { status: 'up', details };
    return {
      status: 'degraded',
      reason: `a transcript has been waiting for ${Math.round(oldestMs / 1000)} s`,
      details,
    };
  }

  /** Shared by all metrics of a scrape, which are collected in the same turn of the event loop. */
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
