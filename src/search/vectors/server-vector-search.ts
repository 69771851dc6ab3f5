import type { OnModuleInit } from '@nestjs/common';
import type { mongo } from 'mongoose';
import { messageOf } from '../../common/index.js';
import type { Logger } from '../../logging/index.js';
import { compareHits, type VectorHit } from './top-hits.js';
import type { VectorQuery } from './vector-filter.js';
import type { VectorSearch } from './vector-search.js';

/** The part of the driver's collection that is used. */
export interface AggregatedCollection {
  aggregate(pipeline: mongo.Document[]): { toArray(): Promise<mongo.Document[]> };
}

/** Number of candidates per requested hit. A higher number improves accuracy and increases cost. */
const CANDIDATES_PER_HIT = 20;
const MIN_CANDIDATES = 200;

/** Maximum that the server accepts. */
const MAX_CANDIDATES = 10_000;

/** Returns the stages of the search: approximate nearest neighbors among the rows that match the filter. */
export function searchPipeline(
  index: string,
  tenantId: string,
  model: string,
  query: Float32Array,
  { limit, channel, participantId, since, until }: VectorQuery,
): mongo.Document[] {
  const createdAt = {
    ...(since !== undefined && { $gte: new Date(since) }),
    ...(until !== undefined && { $lt: new Date(until) }),
  };
  const filter = {
    tenantId,
    model,
    ...(channel !== undefined && { channel }),
    ...(participantId !== undefined && { participantId }),
    ...(Object.keys(createdAt).length > 0 && { createdAt }),
  };
  const numCandidates = Math.min(MAX_CANDIDATES, Math.max(MIN_CANDIDATES, limit * CANDIDATES_PER_HIT));
  return [
    {
      $vectorSearch: { index, path: 'vector', queryVector: [...query], filter, numCandidates, limit },
    },
    { $project: { _id: 1, score: { $meta: 'vectorSearchScore' } } },
  ];
}

/** Converts the server's score, 0 to 1, to a cosine. */
const cosineOf = (score: number): number => 2 * score - 1;

/**
 * Searches with the server's vector index. Results are approximate, and new rows appear only after the server
 * has indexed them.
 */
export class ServerVectorSearch implements VectorSearch, OnModuleInit {
  constructor(
    private readonly collection: AggregatedCollection,
    private readonly index: string,
    private readonly logger: Pick<Logger, 'warn'>,
  ) {}

  /** @throws Error if the server does not support vector search */
  async onModuleInit(): Promise<void> {
    let found: mongo.Document[];
    try {
      found = await this.collection.aggregate([{ $listSearchIndexes: { name: this.index } }]).toArray();
    } catch (error) {
      throw new Error(
        `VECTOR_SEARCH=atlas: this MongoDB server does not support vector search (${messageOf(error)}). Set VECTOR_SEARCH=memory, or use a server that supports it.`,
        { cause: error },
      );
    }
    if (found[0]?.['queryable'] !== true)
      this.logger.warn(
        { index: this.index, status: found[0]?.['status'] ?? 'missing' },
        'the vector index is not queryable yet; see docs/transcripts.md for its definition',
      );
  }

  async search(
    tenantId: string,
    model: string,
    query: Float32Array,
    options: VectorQuery,
    signal?: AbortSignal,
  ): Promise<VectorHit[]> {
    signal?.throwIfAborted();
    // A text without content has a zero vector, which the server rejects.
    if (query.every((value) => value === 0)) return [];
    const pipeline = searchPipeline(this.index, tenantId, model, query, options);
    const rows = await this.collection.aggregate(pipeline).toArray();
    return rows
      .map(({ _id, score }) => ({ id: String(_id), score: cosineOf(Number(score)) }))
      .sort(compareHits);
  }
}
