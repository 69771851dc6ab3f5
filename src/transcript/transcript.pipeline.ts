import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { Types } from 'mongoose';
import { backoffDelay, LOGGER, type Logger } from '../common/index.js';
import { TRANSCRIPT_SETTINGS, type TranscriptSettings } from '../config/index.js';
import { batchPlaces, batchSize } from './batch-places.js';
import { EMBEDDER, type Embedder, EmbeddingError } from './embedding/embedder.js';
import { encodeVector } from './embedding/vector-codec.js';
import { VectorIndex } from './search/vector-index.js';
import { type AcceptedBatch, type AcceptedTranscript, TranscriptJournal } from './transcript-journal.js';
import { type Distribution, RecentValues } from './recent-values.js';
import { TranscriptNotes } from './transcript-notes.js';
import { type NewTranscript, TranscriptStore } from './transcript-store.js';
import { embeddedText } from './transcript-text.js';

export interface PipelineStats {
  /** Accepted by this process, and waiting for a batch. */
  queued: number;
  /** In a batch at work. */
  processing: number;
  /** Stored with a vector since the process began; those that were deleted meanwhile count too. */
  completed: number;
  /** Stored without a vector since the process began: they became dead letters, or stayed such. */
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

interface Unstored {
  tenantId: string;
  isAtWork: boolean;
  /** Only this process knows its id, and it was not tried to be stored: it can be in the database in no case. */
  isFresh: boolean;
}

/** What waits is looked at this often at least. */
const CHECK_MS = 5000;

const trouble = { baseMs: 250, maxMs: 10_000, jitter: 0.5 };

/** Embeds accepted transcripts in batches, and stores them. */
@Injectable()
export class TranscriptPipeline {
  /** Accepted here and not stored, by id; those that another process left are here once they are taken. */
  private readonly unstored = new Map<string, Unstored>();
  /** Those on their way to the disk. */
  private readonly appending = new Map<string, Promise<void>>();
  private readonly perTenant = new Map<string, number>();
  private readonly running = new Set<Promise<void>>();
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
  /** Batches are nobody's request and nobody's job: they run outside of the context, log lines and all, of whoever set them off. */
  private readonly detached = AsyncLocalStorage.snapshot();
  private readonly places: number;
  private timer: NodeJS.Timeout | undefined;
  private pumping: Promise<void> | undefined;
  private flushing = false;
  private stopped = false;
  private failures = 0;
  private restUntil = 0;

  constructor(
    private readonly journal: TranscriptJournal,
    private readonly store: TranscriptStore,
    private readonly index: VectorIndex,
    private readonly notes: TranscriptNotes,
    @Inject(EMBEDDER) private readonly embedder: Embedder,
    @Inject(TRANSCRIPT_SETTINGS) private readonly settings: TranscriptSettings,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.places = batchPlaces(settings.TRANSCRIPT_MAX_CONCURRENT_BATCHES, embedder);
  }

  async start(): Promise<void> {
    await this.journal.open(() => void this.pump());
    void this.pump();
  }

  /** Stores what waits, for `graceMs` at most; the rest stays in the journal. */
  async stop(graceMs: number): Promise<void> {
    this.flushing = true;
    const deadline = Date.now() + graceMs;
    const isOver = delay(graceMs, undefined, { ref: false });
    while (this.journal.waiting + this.running.size > 0 && Date.now() < deadline && this.failures === 0) {
      await this.pump();
      if (this.running.size === 0) break;
      await Promise.race([...this.running, isOver]);
    }
    this.stopped = true;
    clearTimeout(this.timer);
    // A batch that ends after the journal was closed is stored, and comes again to the next process, which finds it stored.
    await Promise.race([Promise.all(this.running), isOver]);
    await this.journal.close();
  }

  /** Accepted by this process, of one tenant, and not stored. */
  waitingOf(tenantId: string): number {
    return this.perTenant.get(tenantId) ?? 0;
  }

  /**
   * Resolves when the transcript is on disk. One whose id waits here already is not written again. `isNew`: its id was made just now.
   */
  async accept(item: AcceptedTranscript, { isNew = false } = {}): Promise<void> {
    if (this.unstored.has(item.id)) {
      await this.appending.get(item.id);
      return;
    }
    // Through Redis other processes know of it, and may delete it before it is stored.
    this.track(item, { isFresh: isNew && !this.notes.enabled });
    const append = this.journal.append(item);
    this.appending.set(item.id, append);
    try {
      await append;
      if (!item.isReplay) this.notes.queued(item.tenantId, item.id);
    } catch (error) {
      this.untrack(item);
      throw error;
    } finally {
      this.appending.delete(item.id);
    }
  }

  /** To be called before a transcript is deleted: should it wait here, its deletion is looked for when it is stored. */
  deleting(id: string): void {
    const present = this.unstored.get(id);
    if (present) present.isFresh = false;
  }

  /** Calls `listener` after each batch that was stored; the answer ends it. */
  onBatch(listener: (batch: BatchTimes) => void): () => void {
    this.batchListeners.add(listener);
    return () => this.batchListeners.delete(listener);
  }

  /** Of a transcript that this process has accepted and not stored. */
  stateOf(tenantId: string, id: string): 'queued' | 'processing' | undefined {
    const present = this.unstored.get(id);
    if (present?.tenantId !== tenantId) return undefined;
    return present.isAtWork ? 'processing' : 'queued';
  }

  stats(): PipelineStats {
    const { items, ...counts } = this.counts;
    const processing = [...this.unstored.values()].filter(({ isAtWork }) => isAtWork).length;
    return {
      queued: this.unstored.size - processing,
      processing,
      ...counts,
      meanBatchSize: counts.batches === 0 ? null : items / counts.batches,
      batchSizes: this.recent.batchSizes.distribution(),
      embedTimes: this.recent.embedTimes.distribution(),
      storeTimes: this.recent.storeTimes.distribution(),
    };
  }

  /** Of one tenant's transcripts in this process. */
  statsOf(tenantId: string): Pick<PipelineStats, 'queued' | 'processing'> {
    let processing = 0;
    for (const present of this.unstored.values())
      if (present.tenantId === tenantId && present.isAtWork) processing++;
    return { queued: this.waitingOf(tenantId) - processing, processing };
  }

  /** Begins the batches that are due, and sees to it that it is called when the next one is. Never rejects. */
  private pump(): Promise<void> {
    if (this.stopped) return Promise.resolve();
    this.pumping ??= this.detached(() => this.pumpOnce());
    return this.pumping;
  }

  private pumpOnce(): Promise<void> {
    return this.begin()
      .catch((error: unknown) => {
        this.logger.error({ err: error }, 'transcripts could not be taken out of the journal');
        this.restUntil = Date.now() + CHECK_MS;
      })
      .finally(() => {
        this.pumping = undefined;
        this.schedule();
      });
  }

  private async begin(): Promise<void> {
    while (!this.stopped && this.isDue()) {
      const free = this.places - this.running.size;
      const { TRANSCRIPT_BATCH_SIZE: min, TRANSCRIPT_MAX_BATCH_SIZE: max } = this.settings;
      const taken = await this.journal.take(batchSize(this.journal.waiting, free, { min, max }));
      if (!taken) return;
      const run = this.process(taken).finally(() => {
        this.running.delete(run);
        void this.pump();
      });
      this.running.add(run);
    }
  }

  private isDue(): boolean {
    if (this.running.size >= this.places) return false;
    return Date.now() >= this.restUntil && this.hasBatch();
  }

  /** Whether what waits makes a batch, be there a place for it or not. */
  private hasBatch(): boolean {
    const { TRANSCRIPT_BATCH_SIZE, TRANSCRIPT_BATCH_TIMEOUT_MS } = this.settings;
    const { waiting, oldestMs } = this.journal;
    if (waiting === 0) return false;
    return this.flushing || waiting >= TRANSCRIPT_BATCH_SIZE || oldestMs >= TRANSCRIPT_BATCH_TIMEOUT_MS;
  }

  private schedule(): void {
    clearTimeout(this.timer);
    if (this.stopped) return;
    const { waiting, oldestMs } = this.journal;
    const untilTimeout = waiting === 0 ? CHECK_MS : this.settings.TRANSCRIPT_BATCH_TIMEOUT_MS - oldestMs;
    // It may have become due while the last look was under way; a batch that was put back is due when the rest is over.
    const untilDue = this.hasBatch() ? 0 : untilTimeout;
    const waitMs = Math.max(this.restUntil - Date.now(), Math.min(CHECK_MS, Math.max(1, untilDue)));
    // While all places are taken, the end of a batch looks again.
    if (this.running.size >= this.places) return;
    this.timer = setTimeout(() => void this.pump(), waitMs);
    this.timer.unref();
  }

  private async process({ items, batch }: AcceptedBatch): Promise<void> {
    for (const item of items) this.track(item, { isAtWork: true });
    try {
      const begun = performance.now();
      const rows = await this.embed(items);
      const embedded = performance.now();
      await this.save(items, rows);
      const stored = performance.now();
      await batch.done();
      this.failures = 0;
      const times = { size: items.length, embedMs: embedded - begun, storeMs: stored - embedded };
      this.note(times);
      for (const item of items) {
        this.untrack(item);
        this.notes.gone(item.tenantId, item.id);
      }
    } catch (error) {
      this.failures++;
      this.counts.retries++;
      this.restUntil = Date.now() + backoffDelay(this.failures, trouble);
      batch.failed();
      for (const item of items) this.track(item, { isAtWork: false, isFresh: false });
      this.logger.warn(
        { err: error, transcripts: items.length },
        'a batch of transcripts is tried again later',
      );
    }
  }

  /** With vectors, in the order of the items. What cannot be embedded fails alone; an embedder that is away fails the batch. */
  private async embed(items: readonly AcceptedTranscript[]): Promise<NewTranscript[]> {
    const texts = items.map(embeddedText);
    try {
      const vectors = await this.embedder.embed(texts);
      return items.map((item, place) => this.row(item, vectors[place]));
    } catch (error) {
      if (isPassing(error) && this.failures + 1 < this.settings.TRANSCRIPT_ATTEMPTS) throw error;
    }
    const rows: NewTranscript[] = [];
    for (const [place, item] of items.entries()) rows.push(await this.embedAlone(item, texts[place] ?? ''));
    return rows;
  }

  private async embedAlone(item: AcceptedTranscript, text: string): Promise<NewTranscript> {
    try {
      const [vector] = await this.embedder.embed([text]);
      return this.row(item, vector);
    } catch (error) {
      if (isPassing(error) && !(await this.canEmbed())) throw error;
      const message = error instanceof Error ? error.message : String(error);
      this.logger.error({ err: error, transcriptId: item.id }, 'a transcript could not be embedded');
      return { ...this.row(item, undefined), status: 'failed', error: message.slice(0, 2000) };
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

  private note({ size, embedMs, storeMs }: BatchTimes): void {
    this.counts.batches++;
    this.counts.items += size;
    this.counts.embedMs += embedMs;
    this.counts.storeMs += storeMs;
    this.recent.batchSizes.add(size);
    this.recent.embedTimes.add(embedMs);
    this.recent.storeTimes.add(storeMs);
    for (const listener of this.batchListeners) listener({ size, embedMs, storeMs });
  }

  private row({ id, ...item }: AcceptedTranscript, vector: Float32Array | undefined): NewTranscript {
    const { participantId, channel, transcript, summary, metadata, externalId, createdAt } = item;
    return {
      _id: new Types.ObjectId(id),
      participantId,
      channel,
      transcript,
      ...(summary !== undefined && { summary }),
      metadata,
      ...(externalId !== undefined && { externalId }),
      status: 'stored',
      ...(vector && { model: this.embedder.model, vector: encodeVector(vector) }),
      createdAt,
    };
  }

  private async save(items: readonly AcceptedTranscript[], rows: readonly NewTranscript[]): Promise<void> {
    const tenants = new Map<string, { items: NewTranscript[]; replays: NewTranscript[] }>();
    items.forEach(({ tenantId, isReplay }, place) => {
      const row = rows[place];
      if (!row) return;
      const ofTenant = tenants.get(tenantId) ?? { items: [], replays: [] };
      tenants.set(tenantId, ofTenant);
      ofTenant[isReplay ? 'replays' : 'items'].push(row);
    });
    const batches = [...tenants].map(([tenantId, ofTenant]) => ({ tenantId, ...ofTenant }));
    const changes = await this.store.save(batches, (id) => this.unstored.get(id)?.isFresh === true);
    for (const { tenantId, change } of changes) this.index.apply(tenantId, this.embedder.model, change);
    const dead = rows.filter(({ status }) => status === 'failed').length;
    this.counts.dead += dead;
    this.counts.completed += rows.length - dead;
  }

  private track({ id, tenantId }: AcceptedTranscript, state: Partial<Omit<Unstored, 'tenantId'>>): void {
    const present = this.unstored.get(id);
    if (!present) this.perTenant.set(tenantId, this.waitingOf(tenantId) + 1);
    this.unstored.set(id, { tenantId, isAtWork: false, isFresh: false, ...present, ...state });
  }

  private untrack({ id, tenantId }: AcceptedTranscript): void {
    if (!this.unstored.delete(id)) return;
    const left = this.waitingOf(tenantId) - 1;
    if (left > 0) this.perTenant.set(tenantId, left);
    else this.perTenant.delete(tenantId);
  }
}

/** Another try may succeed. */
const isPassing = (error: unknown): boolean => !(error instanceof EmbeddingError) || error.retryable;
