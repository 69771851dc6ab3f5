import { Injectable } from '@nestjs/common';
import {
  METRIC_PREFIX,
  Metrics,
  type ReadMetric,
  SnapshotSources,
  type TranscriptsSection,
} from '../monitoring/index.js';
import { type ProcessTranscriptStats, TranscriptStats } from './transcript-stats.js';

const PREFIX = `${METRIC_PREFIX}transcript`;

type Reading = [name: string, help: string, read: (stats: ProcessTranscriptStats) => number];

const counters: readonly Reading[] = [
  ['s_stored_total', 'Transcripts stored with a vector', ({ completed }) => completed],
  ['s_dead_total', 'Transcripts that were given up, stored without a vector', ({ dead }) => dead],
  ['_batches_total', 'Batches that were stored', ({ batches }) => batches],
  ['_batch_retries_total', 'Batches that failed as a whole and were put back', ({ retries }) => retries],
  ['_embed_seconds_total', 'Time of embedding', ({ embedMs }) => embedMs / 1000],
  ['_store_seconds_total', 'Time of storing', ({ storeMs }) => storeMs / 1000],
  ['_journal_appends_total', 'Transcripts written into the journal', ({ journal }) => journal.appends],
  ['_journal_syncs_total', 'Times that the journal was made safe on disk', ({ journal }) => journal.syncs],
  ['_journal_failures_total', 'Groups that the journal could not write', ({ journal }) => journal.failures],
  ['_searches_total', 'Searches of vectors', ({ index }) => index.searches],
];

const gauges: readonly Reading[] = [
  [
    '_journal_waiting',
    'Transcripts in the journal that are not stored yet',
    ({ journal }) => journal.waiting.count,
  ],
  ['_journal_waiting_bytes', 'The same in bytes', ({ journal }) => journal.waiting.bytes],
  ['_journal_oldest_seconds', 'Age of the oldest of them', ({ journal }) => journal.oldestMs / 1000],
  ['_index_vectors', 'Vectors in the memory of this process', ({ index }) => index.vectors],
  ['_index_bytes', 'Memory of these vectors', ({ index }) => index.bytes],
];

/** Tells Prometheus and snapshots of the transcript pipeline of this process. */
@Injectable()
export class TranscriptMetrics {
  private reading: ProcessTranscriptStats | undefined;

  constructor(
    metrics: Metrics,
    sources: SnapshotSources,
    private readonly transcripts: TranscriptStats,
  ) {
    sources.register('transcripts', () => this.section());
    for (const reading of counters) metrics.readCounter(this.metricOf(reading));
    for (const reading of gauges) metrics.readGauge(this.metricOf(reading));
    metrics.readGauge({
      name: `${PREFIX}s_waiting`,
      help: 'Transcripts accepted by this process: queued, or processing (in a batch at work)',
      labelNames: ['state'],
      read: (tell) => {
        const { queued, processing } = this.stats();
        tell(queued, { state: 'queued' });
        tell(processing, { state: 'processing' });
      },
    });
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

  private section(): TranscriptsSection {
    const { queued, processing, completed, dead, retries, journal, index } = this.transcripts.ofProcess();
    return {
      queued,
      processing,
      completed,
      dead,
      retries,
      oldestMs: journal.oldestMs,
      refusing: journal.failing,
      journalBytes: journal.waiting.bytes,
      indexVectors: index.vectors,
      indexBytes: index.bytes,
    };
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
