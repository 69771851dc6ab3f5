import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { Types } from 'mongoose';
import { backoffDelay, messageOf, withTimeout } from '../common/index.js';
import { TRANSCRIPT_SETTINGS, type TranscriptSettings } from '../config/index.js';
import { LOGGER, type Logger } from '../logging/index.js';
import { EMBEDDER, type Embedder, EmbeddingError, encodeVector, VectorIndex } from '../search/index.js';
import { batchSize, concurrentBatches, fairShare } from './batching.js';
import { type Distribution, RecentValues } from './recent-values.js';
import { TranscriptStore } from './transcript-store.js';
import { embeddedText } from './transcript-text.js';
import { type Outcome, TranscriptRepository, type WaitingTranscript } from './transcript.repository.js';
import type { QueuedTranscript } from './transcript.schema.js';

/** Of this process, since it began. */
export interface WorkerStats {
  /** Stored with a vector. */
  completed: number;
  /** Stored without a vector: they became dead letters, or stayed such. */
  dead: number;
  /** Batches that failed as a whole and were put back. */
  retries: number;
  batches: number;
  /** Of the batches so far, transcripts in one. */
  meanBatchSize: number | null;
  /** Time of all batches, milliseconds. */
  embedMs: number;
  storeMs: number;
  /** Of the last batches: transcripts in one, and milliseconds of one. */
  batchSizes: Distribution;
  embedTimes: Distribution;
  storeTimes: Distribution;
}

/** One batch that was stored: how many transcripts, and how long they took, milliseconds. */
export interface BatchTimes {
  size: number;
  embedMs: number;
  /** With the wait for earlier changes of the same tenants. */
  storeMs: number;
}

/** Transcripts that this process has claimed. */
interface Batch {
  claim: string;
  ids: Types.ObjectId[];
  items: readonly QueuedTranscript[];
  isHandedBack: boolean;
}

/** How long a claim lasts without being prolonged: what a killed process had claimed is taken by another one after this. */
export const LEASE_MS = 15_000;

/** What other processes accept is looked for this often. */
const POLL_MS = 1000;

/** Of those that wait, so many are looked at for a batch. */
const MIN_WINDOW = 256;
const MAX_BATCH_BYTES = 32 * 1024 * 1024;

/** Another process may have been faster; after so many times this one waits for the next poll. */
const MAX_MISSES = 3;

const trouble = { baseMs: 250, maxMs: 10_000, jitter: 0.5 };

/** Claims transcripts that wait, of all tenants and whichever process accepted them, embeds them in batches and stores them. */
@Injectable()
export class TranscriptWorker {
  private readonly running = new Map<Batch, Promise<void>>();
  private readonly batchListeners = new Set<(batch: BatchTimes) => void>();
  private readonly counts = {
    completed: 0,
    dead: 0,
    retries: 0,
    batches: 0,
    items: 0,
    embedMs: 0,
    storeMs: 0,
  };
  private readonly recent = {
    batchSizes: new RecentValues(),
    embedTimes: new RecentValues(),
    storeTimes: new RecentValues(),
  };
  /** Batches belong to no request and no job: they run outside of the context, log fields included, of the caller that woke the worker. */
  private readonly detached = AsyncLocalStorage.snapshot();
  private readonly maxBatches: number;
  private readonly window: number;
  private isStarted = false;
  private timer: NodeJS.Timeout | undefined;
  private looking: Promise<void> | undefined;
  /** Known to wait: what the last look left, and what this process has accepted since. */
  private waiting = 0;
  private oldestAt: number | undefined;
  private failures = 0;
  private restUntil = 0;

  constructor(
    private readonly transcripts: TranscriptRepository,
    private readonly store: TranscriptStore,
    private readonly index: VectorIndex,
    @Inject(EMBEDDER) private readonly embedder: Embedder,
    @Inject(TRANSCRIPT_SETTINGS) private readonly settings: TranscriptSettings,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.maxBatches = concurrentBatches(settings.TRANSCRIPT_MAX_CONCURRENT_BATCHES, embedder);
    this.window = Math.max(MIN_WINDOW, settings.TRANSCRIPT_MAX_BATCH_SIZE * this.maxBatches);
  }

  /** To be called by processes that do background work, once the indexes are there. */
  start(): void {
    this.isStarted = true;
    this.look();
  }

  /** Takes nothing more and finishes the batches at work; after `graceMs` they are handed back, for other workers to take at once. */
  async stop(graceMs: number): Promise<void> {
    this.isStarted = false;
    clearTimeout(this.timer);
    // A look under way may still begin a batch.
    await this.looking;
    await withTimeout(Promise.all(this.running.values()), graceMs, () => undefined);
    for (const batch of this.running.keys()) {
      batch.isHandedBack = true;
      await this.release(batch, { wasTried: false });
    }
  }

  /** This process has accepted transcripts. */
  accepted(count: number): void {
    this.waiting += count;
    this.oldestAt ??= Date.now();
    if (this.waiting >= this.settings.TRANSCRIPT_BATCH_SIZE) this.look();
    else if (!this.looking) this.schedule();
  }

  /** Calls `listener` after each batch that was stored; the returned function ends it. */
  onBatch(listener: (batch: BatchTimes) => void): () => void {
    this.batchListeners.add(listener);
    return () => this.batchListeners.delete(listener);
  }

  stats(): WorkerStats {
    const { items, ...counts } = this.counts;
    return {
      ...counts,
      meanBatchSize: counts.batches === 0 ? null : items / counts.batches,
      batchSizes: this.recent.batchSizes.distribution(),
      embedTimes: this.recent.embedTimes.distribution(),
      storeTimes: this.recent.storeTimes.distribution(),
    };
  }

  /** Begins the batches that are due, and schedules the next look. */
  private look(): void {
    if (!this.mayBegin()) {
      this.schedule();
      return;
    }
    clearTimeout(this.timer);
    this.looking ??= this.detached(() => this.beginBatches())
      .catch((error: unknown) => {
        this.rest();
        this.logger.warn({ err: error }, 'transcripts that wait could not be looked for');
      })
      .finally(() => {
        this.looking = undefined;
        this.schedule();
      });
  }

  private mayBegin(): boolean {
    return this.isStarted && this.running.size < this.maxBatches && Date.now() >= this.restUntil;
  }

  private async beginBatches(): Promise<void> {
    for (let misses = 0; misses < MAX_MISSES && this.mayBegin();) {
      // What is accepted from here on may be missing in what is read.
      this.waiting = 0;
      this.oldestAt = undefined;
      const found = await this.transcripts.claimable(new Date(), this.window);
      if (!this.isDue(found)) {
        this.know(found);
        return;
      }
      const { TRANSCRIPT_BATCH_SIZE: min, TRANSCRIPT_MAX_BATCH_SIZE: max } = this.settings;
      const size = batchSize(found.length, this.maxBatches - this.running.size, { min, max });
      const chosen = fairShare(found, size);
      const batch = await this.claim(chosen);
      const taken = new Set(chosen);
      this.know(found.filter((one) => !taken.has(one)));
      if (batch) this.begin(batch);
      else misses++;
    }
  }

  private isDue(found: readonly WaitingTranscript[]): boolean {
    const [oldest] = found;
    if (!oldest) return false;
    const { TRANSCRIPT_BATCH_SIZE, TRANSCRIPT_BATCH_TIMEOUT_MS } = this.settings;
    return (
      found.length >= TRANSCRIPT_BATCH_SIZE ||
      Date.now() - oldest.queuedAt.getTime() >= TRANSCRIPT_BATCH_TIMEOUT_MS
    );
  }

  private know(found: readonly WaitingTranscript[]): void {
    this.waiting += found.length;
    const oldest = found[0]?.queuedAt.getTime();
    if (oldest !== undefined) this.oldestAt = Math.min(oldest, this.oldestAt ?? oldest);
  }

  /** Undefined when other workers were faster. */
  private async claim(chosen: readonly WaitingTranscript[]): Promise<Batch | undefined> {
    const claim = randomUUID();
    const ids = chosen.map(({ _id }) => _id);
    const now = new Date();
    const claimed = await this.transcripts.claim(ids, claim, {
      now,
      until: new Date(now.getTime() + LEASE_MS),
    });
    if (claimed === 0) return undefined;
    const items = await this.transcripts.claimed(ids, claim, MAX_BATCH_BYTES);
    const batch: Batch = { claim, ids: items.map(({ _id }) => _id), items, isHandedBack: false };
    if (items.length < claimed) {
      const kept = new Set(items.map(({ _id }) => _id.toHexString()));
      const others = ids.filter((id) => !kept.has(id.toHexString()));
      await this.transcripts.release(others, claim, { wasTried: false });
    }
    return items.length === 0 ? undefined : batch;
  }

  private begin(batch: Batch): void {
    const run = this.process(batch).finally(() => {
      this.running.delete(batch);
      this.look();
    });
    this.running.set(batch, run);
  }

  /** While as many batches as may be are at work, the end of one looks again. */
  private schedule(): void {
    clearTimeout(this.timer);
    if (!this.isStarted || this.running.size >= this.maxBatches) return;
    const { TRANSCRIPT_BATCH_SIZE, TRANSCRIPT_BATCH_TIMEOUT_MS } = this.settings;
    const now = Date.now();
    const untilTimeout =
      this.oldestAt === undefined ? POLL_MS : this.oldestAt + TRANSCRIPT_BATCH_TIMEOUT_MS - now;
    const untilDue = this.waiting >= TRANSCRIPT_BATCH_SIZE ? 0 : untilTimeout;
    const waitMs = Math.max(this.restUntil - now, Math.min(POLL_MS, Math.max(1, untilDue)));
    this.timer = setTimeout(() => {
      this.look();
    }, waitMs);
    this.timer.unref();
  }

  private rest(): void {
    this.failures++;
    this.restUntil = Date.now() + backoffDelay(this.failures, trouble);
  }

  private async process(batch: Batch): Promise<void> {
    const { claim, items } = batch;
    const lease = setInterval(() => {
      this.prolong(batch);
    }, LEASE_MS / 3);
    lease.unref();
    try {
      const begun = performance.now();
      const outcomes = await this.embed(items);
      if (batch.isHandedBack) return;
      const embedded = performance.now();
      await this.save(claim, items, outcomes);
      this.failures = 0;
      this.measured({
        size: items.length,
        embedMs: embedded - begun,
        storeMs: performance.now() - embedded,
      });
    } catch (error) {
      if (batch.isHandedBack) return;
      this.rest();
      this.counts.retries++;
      this.logger.warn(
        { err: error, transcripts: items.length },
        'a batch of transcripts is tried again later',
      );
      await this.release(batch, { wasTried: true });
    } finally {
      clearInterval(lease);
    }
  }

  private prolong({ ids, claim }: Batch): void {
    this.transcripts.prolong(ids, claim, new Date(Date.now() + LEASE_MS)).catch((error: unknown) => {
      this.logger.warn({ err: error }, 'the claim of a batch of transcripts could not be prolonged');
    });
  }

  private async release({ ids, claim }: Batch, how: { wasTried: boolean }): Promise<void> {
    try {
      await this.transcripts.release(ids, claim, how);
    } catch (error) {
      this.logger.warn(
        { err: error },
        'a batch of transcripts was not handed back; its claim expires by itself',
      );
    }
  }

  /** With vectors, in the order of the items. What cannot be embedded fails alone; an embedder that is away fails the batch. */
  private async embed(items: readonly QueuedTranscript[]): Promise<Outcome[]> {
    const texts = items.map(embeddedText);
    try {
      const vectors = await this.embedder.embed(texts);
      return items.map((item, position) => this.outcome(item, vectors[position]));
    } catch (error) {
      const isLastAttempt = items.some(({ attempts }) => attempts >= this.settings.TRANSCRIPT_ATTEMPTS);
      if (isPassing(error) && !isLastAttempt) throw error;
    }
    const outcomes: Outcome[] = [];
    for (const [position, item] of items.entries())
      outcomes.push(await this.embedAlone(item, texts[position] ?? ''));
    return outcomes;
  }

  private async embedAlone(item: QueuedTranscript, text: string): Promise<Outcome> {
    try {
      const [vector] = await this.embedder.embed([text]);
      return this.outcome(item, vector);
    } catch (error) {
      if (isPassing(error) && !(await this.canEmbed())) throw error;
      const message = messageOf(error);
      this.logger.error(
        { err: error, transcriptId: item._id.toHexString() },
        'a transcript could not be embedded',
      );
      return { _id: item._id, status: 'failed', error: message.slice(0, 2000) };
    }
  }

  /** Whether the embedder takes a text that it has not seen: what it refuses then is due to the text. */
  private async canEmbed(): Promise<boolean> {
    try {
      await this.embedder.embed([`Is the embedder there? ${randomUUID()}`]);
      return true;
    } catch (error) {
      return !isPassing(error);
    }
  }

  private outcome({ _id }: QueuedTranscript, vector: Float32Array | undefined): Outcome {
    return {
      _id,
      status: 'stored',
      ...(vector && { model: this.embedder.model, vector: encodeVector(vector) }),
    };
  }

  private async save(
    claim: string,
    items: readonly QueuedTranscript[],
    outcomes: readonly Outcome[],
  ): Promise<void> {
    const processed = items.flatMap((record, position) => {
      const outcome = outcomes[position];
      return outcome ? [{ record, outcome }] : [];
    });
    for (const { tenantId, change, stored, dead } of await this.store.finish(claim, processed)) {
      this.index.apply(tenantId, this.embedder.model, change);
      this.counts.completed += stored;
      this.counts.dead += dead;
    }
  }

  private measured({ size, embedMs, storeMs }: BatchTimes): void {
    this.counts.batches++;
    this.counts.items += size;
    this.counts.embedMs += embedMs;
    this.counts.storeMs += storeMs;
    this.recent.batchSizes.add(size);
    this.recent.embedTimes.add(embedMs);
    this.recent.storeTimes.add(storeMs);
    for (const listener of this.batchListeners) listener({ size, embedMs, storeMs });
  }
}

/** Another try may succeed. */
const isPassing = (error: unknown): boolean => !(error instanceof EmbeddingError) || error.retryable;
