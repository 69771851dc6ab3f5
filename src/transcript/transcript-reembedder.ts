import { Inject, Injectable } from '@nestjs/common';
import { EMBEDDER, type Embedder, EmbeddingError, encodeVector } from '../search/index.js';
import { type NewVector, TranscriptStore } from './transcript-store.js';
import { embeddedText } from './transcript-text.js';
import { type EmbeddableRow, TranscriptRepository } from './transcript.repository.js';

const TENANTS = 200;

export interface ReembedOptions {
  /** Transcripts that are embedded and written together. */
  batchSize: number;
  /** Ends the work after the batch that is under way. */
  signal?: AbortSignal;
  /** Told of each batch: transcripts that are done with. */
  onProgress?: (transcripts: number) => void;
  /** Told of each transcript that the embedder refuses; its old vector stays. */
  onRefused?: (tenantId: string, id: string, error: EmbeddingError) => void;
}

export interface ReembedResult {
  reembedded: number;
  refused: number;
  /** Deleted, or re-embedded by another process, while they were embedded here. */
  passedOver: number;
  /** False when the signal ended it before. */
  isWhole: boolean;
}

/**
 * Gives transcripts whose vector is one of another model a vector of this process's embedder. How far it is, is in the rows themselves: it may be
 * ended at any moment, and run several times at the same time.
 */
@Injectable()
export class TranscriptReembedder {
  constructor(
    private readonly transcripts: TranscriptRepository,
    private readonly store: TranscriptStore,
    @Inject(EMBEDDER) private readonly embedder: Embedder,
  ) {}

  /** That transcripts are to have. */
  get model(): string {
    return this.embedder.model;
  }

  /** How many transcripts have a vector of another model, by tenant and model. */
  async *outdated(): AsyncGenerator<{ tenantId: string; model: string; transcripts: number }> {
    for await (const { tenantId, model } of this.otherModels())
      yield { tenantId, model, transcripts: await this.transcripts.countOfModel(tenantId, model) };
  }

  /** @throws EmbeddingError when the embedding service is away; what was written stays */
  async run(options: ReembedOptions): Promise<ReembedResult> {
    const result: ReembedResult = { reembedded: 0, refused: 0, passedOver: 0, isWhole: true };
    for await (const { tenantId, model } of this.otherModels()) {
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
        result.passedOver += vectors.length - written;
        result.refused += rows.length - vectors.length;
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

  /** One call for all; when the embedder refuses it, one for each, so that a text alone is left out. */
  private async embed(
    tenantId: string,
    rows: readonly EmbeddableRow[],
    { onRefused }: ReembedOptions,
  ): Promise<NewVector[]> {
    try {
      const vectors = await this.embedder.embed(rows.map(embeddedText));
      return rows.flatMap((row, place) => newVector(row, vectors[place]));
    } catch (error) {
      if (!isRefusal(error)) throw error;
    }
    const embedded: NewVector[] = [];
    for (const row of rows)
      try {
        const [vector] = await this.embedder.embed([embeddedText(row)]);
        embedded.push(...newVector(row, vector));
      } catch (error) {
        if (!isRefusal(error)) throw error;
        onRefused?.(tenantId, row._id.toHexString(), error);
      }
    return embedded;
  }
}

const newVector = ({ _id }: EmbeddableRow, vector: Float32Array | undefined): NewVector[] =>
  vector ? [{ _id, vector: encodeVector(vector) }] : [];

const isRefusal = (error: unknown): error is EmbeddingError =>
  error instanceof EmbeddingError && !error.retryable;
