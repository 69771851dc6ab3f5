import { Injectable } from '@nestjs/common';
import { Gauge } from 'prom-client';
import {
  METRIC_PREFIX,
  Metrics,
  type ReadMetric,
  SnapshotSources,
  type TranscriptsSection,
} from '../monitoring/index.js';
import { type BacklogFigures, TranscriptBacklog } from './transcript-backlog.js';
import { type ProcessTranscriptStats, TranscriptStats } from './transcript-stats.js';

const PREFIX = `${METRIC_PREFIX}transcript`;

type Reading = [name: string, help: string, read: (stats: ProcessTranscriptStats) => number];

const counters: readonly Reading[] = [
  ['s_accepted_total', 'Transcripts accepted, replays included', ({ accepted }) => accepted],
  ['s_stored_total', 'Transcripts stored with a vector', ({ completed }) => completed],
  ['s_dead_total', 'Transcripts that were given up, stored without a vector', ({ dead }) => dead],
  ['_batches_total', 'Batches that were stored', ({ batches }) => batches],
  ['_batch_retries_total', 'Batches that failed as a whole and were put back', ({ retries }) => retries],
  ['_embed_seconds_total', 'Time of embedding', ({ embedMs }) => embedMs / 1000],
  ['_store_seconds_total', 'Time of storing', ({ storeMs }) => storeMs / 1000],
  ['_searches_total', 'Searches of vectors', ({ index }) => index.searches],
];

const gauges: readonly Reading[] = [
  ['_index_vectors', 'Vectors in the memory of this process', ({ index }) => index.vectors],
  ['_index_bytes', 'Memory of these vectors', ({ index }) => index.bytes],
];

/** Transcripts for Prometheus and snapshots: what waits, all processes together, and what this process has done. */
@Injectable()
export class TranscriptMetrics {
  private reading: ProcessTranscriptStats | undefined;

  constructor(
    private readonly metrics: Metrics,
    sources: SnapshotSources,
    private readonly transcripts: TranscriptStats,
    private readonly backlog: TranscriptBacklog,
  ) {
    sources.register('transcripts', () => this.section());
    for (const reading of counters) metrics.readCounter(this.metricOf(reading));
    for (const reading of gauges) metrics.readGauge(this.metricOf(reading));
    this.backlogGauge(
      's_waiting',
      'Transcripts that wait, all processes together: queued, or processing (in a batch at work)',
      ['state'],
      (gauge, { queued, processing }) => {
        gauge.set({ state: 'queued' }, queued);
        gauge.set({ state: 'processing' }, processing);
      },
    );
    this.backlogGauge(
      's_oldest_seconds',
      'How long the oldest of them has waited',
      [],
      (gauge, { oldestMs }) => {
        gauge.set(oldestMs / 1000);
      },
    );
    metrics.readCounter({
      name: `${PREFIX}_embedding_cache_lookups_total`,
      help: 'Texts to embed that were known (hit) or not (miss)',
      labelNames: ['result'],
      read: (tell) => {
        const { hits, misses } = this.stats().embeddingCache;
        tell(hits, { result: 'hit' });
        tell(misses, { result: 'miss' });
      },
    });
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

  /** A gauge of what is read from the database; absent while it cannot be read. */
  private backlogGauge<Label extends string>(
    name: string,
    help: string,
    labelNames: Label[],
    set: (gauge: Gauge<Label>, figures: BacklogFigures) => void,
  ): void {
    const figures = (): Promise<BacklogFigures | null> => this.backlog.figures();
    new Gauge({
      name: PREFIX + name,
      help,
      labelNames,
      registers: [this.metrics.registry],
      async collect() {
        const now = await figures();
        // Without labels a reset leaves a 0.
        if (labelNames.length === 0) this.remove();
        else this.reset();
        if (now) set(this, now);
      },
    });
  }

  private metricOf([name, help, read]: Reading): ReadMetric<never> {
    return {
      name: PREFIX + name,
      help,
      read: (tell) => {
        tell(read(this.stats()));
      },
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
