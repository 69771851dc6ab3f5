import type { VectorHit } from './top-hits.js';
import type { VectorQuery } from './vector-filter.js';

/**
 * Finds a tenant's rows by their vectors, in memory (`VectorIndex`) or on the server (`ServerVectorSearch`).
 */
export interface VectorSearch {
  /**
   * Returns the rows with a vector of `model` that are most similar to `query` (L2-normalized), best first,
   * equal scores by id. Deleted rows may be among them: look up the ids.
   */
  search(
    tenantId: string,
    model: string,
    query: Float32Array,
    options: VectorQuery,
    signal?: AbortSignal,
  ): Promise<VectorHit[]>;
}

/** Injection token of the search implementation selected by the settings. */
export const VECTOR_SEARCH = Symbol('VECTOR_SEARCH');
