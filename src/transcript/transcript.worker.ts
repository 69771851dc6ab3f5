import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { Types } from 'mongoose';
import { backoffDelay, beginningOf, messageOf, withTimeout } from '../common/index.js';
import { TRANSCRIPT_SETTINGS, type TranscriptSettings } from '../config/index.js';
import { LOGGER, type Logger } from '../logging/index.js';
import { EMBEDDER, type Embedder, EmbeddingError, encodeVector, VectorIndex } from '../search/index.js';
import { batchSize, concurrentBatches, fairShare } from './batching.js';
import { type Distribution, RecentValues } from './recent-values.js';
import { TranscriptStore } from './transcript-store.js';
import { embeddedText } from './transcript-text.js';
import { type Outcome, TranscriptRepository, type WaitingTranscript } from './transcript.repository.js';
import type { QueuedTranscript } from './transcript.schema.js';

/** Statistics of this process since it started. */
export interface WorkerStats {
  /** Transcripts stored with a vector. */
  completed: number;
  /** Transcripts stored without a vector: they became dead letters, or remained so after a replay. */
  dead: number;
  /** Batches that failed as a whole and were queued again. */
  retries: number;
  batches: number;
  /** Mean number of transcripts per batch. */
  meanBatchSize: number | null;
  /** Total time of all batches, milliseconds. */
  embedMs: number;
  storeMs: number;
  /** Distributions over the last batches: transcripts per batch, and milliseconds per batch. */
  batchSizes: Distribution;
  embedTimes: Distribution;
  storeTimes: Distribution;
}

/** A stored batch: its number of transcripts and its durations in milliseconds. */
export interface BatchTimes {
  size: number;
  embedMs: number;
  /** Includes the wait for earlier changes of the same tenants. */
  storeMs: number;
}

/** Transcripts claimed by this process. */
interface Batch {
  claim: string;
  ids: Types.ObjectId[];
  items: readonly QueuedTranscript[];
  isHandedBack: boolean;
}

/**
 * Duration of a claim that is not renewed, milliseconds. After this time, another process may claim a killed
 * process's transcripts.
 */
export const LEASE_MS = 15_000;

/** Poll interval for transcripts accepted by other processes, milliseconds. */
const POLL_MS = 1000;

/** Minimum number of queued transcripts considered for a batch. */
const MIN_WINDOW = 256;
const MAX_BATCH_BYTES = 32 * 1024 * 1024;

/** Number of failed claims, due to other processes, after which this one waits for the next poll. */
const MAX_MISSES = 3;

const errorBackoff = { baseMs: 250, maxMs: 10_000, jitter: 0.5 };

/**
 * Claims queued transcripts of all tenants, embeds them in batches and stores them, regardless of which
 * process accepted them.
 */
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
  /**
   * Runs batches outside the async context (including log fields) of the caller that woke the worker, as they
   * belong to no request or job.
   */
  private readonly detached = AsyncLocalStorage.snapshot();
  private readonly maxBatches: number;
  private readonly window: number;
  private readonly startListeners: (() => void)[] = [];
  private isStarted = false;
  private timer: NodeJS.Timeout | undefined;
  private polling: Promise<void> | undefined;
  /** Number known to be queued: left over by the last poll, plus those accepted by this process since. */
  private waiting = 0;
  private oldestAt: number | undefined;
  private failures = 0;
  private backOffUntil = 0;

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

  /** Must be called by processes that do background work, once the indexes exist. */
  start(): void {
    this.isStarted = true;
    this.poll();
    for (const listener of this.startListeners) listener();
  }

  /**
   * Claims no more transcripts and waits for running batches. After `graceMs`, the remaining ones are
   * released so that other workers can claim them immediately.
   */
  async stop(graceMs: number): Promise<void> {
    this.isStarted = false;
    clearTimeout(this.timer);
    // A poll in progress may still start a batch.
    await this.polling;
    await withTimeout(Promise.all(this.running.values()), graceMs, () => undefined);
    for (const batch of this.running.keys()) {
      batch.isHandedBack = true;
      await this.release(batch, { wasTried: false });
    }
  }

  /** Must be called when this process has accepted transcripts. */
  accepted(count: number): void {
    this.waiting += count;
    this.oldestAt ??= Date.now();
    if (this.waiting >= this.settings.TRANSCRIPT_BATCH_SIZE) this.poll();
    else if (!this.polling) this.schedule();
  }

  /** Calls `listener` when this process starts to embed transcripts. */
  onStart(listener: () => void): void {
    this.startListeners.push(listener);
  }

  /** Calls `listener` after each stored batch. The returned function unsubscribes it. */
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

  /** Starts the batches that are due and schedules the next poll. */
  private poll(): void {
    if (!this.mayBegin()) {
      this.schedule();
      return;
    }
    clearTimeout(this.timer);
    this.polling ??= this.detached(() => this.beginBatches())
      .catch((error: unknown) => {
        this.backOff();
        this.logger.warn({ err: error }, 'could not poll for queued transcripts');
      })
      .finally(() => {
        this.polling = undefined;
        this.schedule();
      });
  }

  private mayBegin(): boolean {
    return this.isStarted && this.running.size < this.maxBatches && Date.now() >= this.backOffUntil;
  }

  private async beginBatches(): Promise<void> {
    for (let misses = 0; misses < MAX_MISSES && this.mayBegin();) {
      // Transcripts accepted from here on may be missing in the query's result, so they are counted
      // separately.
      this.waiting = 0;
      this.oldestAt = undefined;
      const found = await this.findWaiting();
      if (!this.isDue(found)) {
        this.noteWaiting(found);
        return;
      }
      const { TRANSCRIPT_BATCH_SIZE: min, TRANSCRIPT_MAX_BATCH_SIZE: max } = this.settings;
      const size = batchSize(found.length, this.maxBatches - this.running.size, { min, max });
      const chosen = fairShare(found, size);
      const batch = await this.claim(chosen);
      const taken = new Set(chosen);
      this.noteWaiting(found.filter((one) => !taken.has(one)));
      if (batch) this.begin(batch);
      else misses++;
    }
  }

  /**
   * The oldest waiting transcripts. If these are all of a few tenants, those of others follow, which would
   * otherwise wait until the first have none left.
   */
  private async findWaiting(): Promise<WaitingTranscript[]> {
    const now = new Date();
    const found = await this.transcripts.claimable(now, this.window);
    if (found.length < this.window) return found;
    const tenants = [...new Set(found.map(({ tenantId }) => tenantId))];
    if (tenants.length >= this.settings.TRANSCRIPT_MAX_BATCH_SIZE) return found;
    return [...found, ...(await this.transcripts.claimable(now, this.window, tenants))];
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

  private noteWaiting(found: readonly WaitingTranscript[]): void {
    this.waiting += found.length;
    const oldest = found[0]?.queuedAt.getTime();
    if (oldest !== undefined) this.oldestAt = Math.min(oldest, this.oldestAt ?? oldest);
  }

  /** Returns undefined if other workers claimed all of them first. */
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
      this.poll();
    });
    this.running.set(batch, run);
  }

  /** While the maximum number of batches is running, no poll is scheduled; the end of a batch polls again. */
  private schedule(): void {
    clearTimeout(this.timer);
    if (!this.isStarted || this.running.size >= this.maxBatches) return;
    const { TRANSCRIPT_BATCH_SIZE, TRANSCRIPT_BATCH_TIMEOUT_MS } = this.settings;
    const now = Date.now();
    const untilTimeout =
      this.oldestAt === undefined ? POLL_MS : this.oldestAt + TRANSCRIPT_BATCH_TIMEOUT_MS - now;
    const untilDue = this.waiting >= TRANSCRIPT_BATCH_SIZE ? 0 : untilTimeout;
    const waitMs = Math.max(this.backOffUntil - now, Math.min(POLL_MS, Math.max(1, untilDue)));
    this.timer = setTimeout(() => {
      this.poll();
    }, waitMs);
    this.timer.unref();
  }

  private backOff(): void {
    this.failures++;
    this.backOffUntil = Date.now() + backoffDelay(this.failures, errorBackoff);
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
      this.backOff();
      this.counts.retries++;
      this.logger.warn(
        { err: error, transcripts: items.length },
        'a batch of transcripts failed; it will be retried',
      );
      await this.release(batch, { wasTried: true });
    } finally {
      clearInterval(lease);
    }
  }

  private prolong({ ids, claim }: Batch): void {
    this.transcripts.prolong(ids, claim, new Date(Date.now() + LEASE_MS)).catch((error: unknown) => {
      this.logger.warn({ err: error }, 'could not renew the claim of a batch of transcripts');
    });
  }

  private async release({ ids, claim }: Batch, how: { wasTried: boolean }): Promise<void> {
    try {
      await this.transcripts.release(ids, claim, how);
    } catch (error) {
      this.logger.warn({ err: error }, 'could not release a batch of transcripts; its claim will expire');
    }
  }

  /**
   * Embeds the items and returns their outcomes in the same order. A text that cannot be embedded fails on
   * its own; an unavailable embedder fails the whole batch.
   */
  private async embed(items: readonly QueuedTranscript[]): Promise<Outcome[]> {
    const texts = items.map(embeddedText);
    try {
      const vectors = await this.embedder.embed(texts);
      return items.map((item, position) => this.outcome(item, vectors[position]));
    } catch (error) {
      const isLastAttempt = items.some(({ attempts }) => attempts >= this.settings.TRANSCRIPT_ATTEMPTS);
      if (isTransient(error) && !isLastAttempt) throw error;
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
      if (isTransient(error) && !(await this.canEmbed())) throw error;
      const message = messageOf(error);
      this.logger.error(
        { err: error, transcriptId: item._id.toHexString() },
        'a transcript could not be embedded',
      );
      return { _id: item._id, status: 'failed', error: beginningOf(message, 2000) };
    }
  }

  /**
   * Checks with a new text whether the embedder works. If it does, a text that it rejects is itself the
   * cause.
   */
  private async canEmbed(): Promise<boolean> {
    try {
      await this.embedder.embed([`Is the embedder available? ${randomUUID()}`]);
      return true;
    } catch (error) {
      return !isTransient(error);
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

/** True if a retry may succeed. */
const isTransient = (error: unknown): boolean => !(error instanceof EmbeddingError) || error.retryable;
