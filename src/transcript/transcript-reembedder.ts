import { Inject, Injectable } from '@nestjs/common';
import { EMBEDDER, type Embedder, EmbeddingError, encodeVector } from '../search/index.js';
import { type NewVector, TranscriptStore } from './transcript-store.js';
import { embeddedText } from './transcript-text.js';
import { type EmbeddableRow, TranscriptRepository } from './transcript.repository.js';

const TENANTS = 200;

export interface ReembedOptions {
  /** Number of transcripts embedded and written together. */
  batchSize: number;
  /** Whether vectors of this model are replaced. By default those of all other models are. */
  isReplaced?: (model: string) => boolean;
  /** Stops the run after the current batch. */
  signal?: AbortSignal;
  /** Called after each batch with the number of transcripts processed. */
  onProgress?: (transcripts: number) => void;
  /** Called for each transcript that the embedder rejects; it keeps its old vector. */
  onRejected?: (tenantId: string, id: string, error: EmbeddingError) => void;
}

export interface ReembedResult {
  reembedded: number;
  rejected: number;
  /** Deleted, or re-embedded by another process, while this process embedded them. */
  skipped: number;
  /** False if the signal stopped the run early. */
  isWhole: boolean;
}

/**
 * Replaces vectors created by another model with vectors of this process's embedder. Progress is kept in the
 * rows themselves, so a run may be stopped at any time, and several runs may work concurrently.
 */
@Injectable()
export class TranscriptReembedder {
  constructor(
    private readonly transcripts: TranscriptRepository,
    private readonly store: TranscriptStore,
    @Inject(EMBEDDER) private readonly embedder: Embedder,
  ) {}

  /** The model that all transcripts should have. */
  get model(): string {
    return this.embedder.model;
  }

  /** Counts the transcripts with a vector of another model, by tenant and model. */
  async *outdated(): AsyncGenerator<{ tenantId: string; model: string; transcripts: number }> {
    for await (const { tenantId, model } of this.otherModels())
      yield { tenantId, model, transcripts: await this.transcripts.countOfModel(tenantId, model) };
  }

  /** @throws EmbeddingError if the embedding service is unavailable; what was already written is kept */
  async run(options: ReembedOptions): Promise<ReembedResult> {
    const result: ReembedResult = { reembedded: 0, rejected: 0, skipped: 0, isWhole: true };
    for await (const { tenantId, model } of this.otherModels()) {
      if (options.isReplaced && !options.isReplaced(model)) continue;
      let after: string | undefined;
      for (;;) {
        if (options.signal?.aborted) return { ...result, isWhole: false };
        const rows = await this.transcripts.ofModel(tenantId, model, after, options.batchSize);
        const last = rows.at(-1);
        if (!last) break;
        after = last._id.toHexString();
        const vectors = await this.embed(tenantId, rows, options);
        const written = await this.store.reembed(tenantId, model, this.embedder.model, vectors);
        result.reembedded += written;
        result.skipped += vectors.length - written;
        result.rejected += rows.length - vectors.length;
        options.onProgress?.(rows.length);
      }
    }
    return result;
  }

  private async *otherModels(): AsyncGenerator<{ tenantId: string; model: string }> {
    let after: string | undefined;
    for (;;) {
      const tenants = await this.transcripts.tenants(after, TENANTS);
      for (const tenantId of tenants)
        for (let model = await this.transcripts.nextModel(tenantId, ''); model !== undefined;) {
          if (model !== this.embedder.model) yield { tenantId, model };
          model = await this.transcripts.nextModel(tenantId, model);
        }
      after = tenants.at(-1);
      if (tenants.length < TENANTS) return;
    }
  }

  /**
   * Embeds all rows in one call. If the embedder rejects it, embeds them one by one so that only the
   * offending texts are skipped.
   */
  private async embed(
    tenantId: string,
    rows: readonly EmbeddableRow[],
    { onRejected }: ReembedOptions,
  ): Promise<NewVector[]> {
    try {
      const vectors = await this.embedder.embed(rows.map(embeddedText));
      return rows.flatMap((row, place) => newVector(row, vectors[place]));
    } catch (error) {
      if (!isRejection(error)) throw error;
    }
    const embedded: NewVector[] = [];
    for (const row of rows)
      try {
        const [vector] = await this.embedder.embed([embeddedText(row)]);
        embedded.push(...newVector(row, vector));
      } catch (error) {
        if (!isRejection(error)) throw error;
        onRejected?.(tenantId, row._id.toHexString(), error);
      }
    return embedded;
  }
}

const newVector = ({ _id }: EmbeddableRow, vector: Float32Array | undefined): NewVector[] =>
  vector ? [{ _id, vector: encodeVector(vector) }] : [];

const isRejection = (error: unknown): error is EmbeddingError =>
  error instanceof EmbeddingError && !error.retryable;
