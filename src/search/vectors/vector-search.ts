import type { VectorHit } from './top-hits.js';
import type { VectorQuery } from './vector-filter.js';

/** Finds a tenant's rows by their vectors: in memory (`VectorIndex`), or by the server (`ServerVectorSearch`). */
export interface VectorSearch {
  /**
   * The rows most like `query` (L2-normalised) of those with a vector of `model`: best first, equal scores by id. Rows that were deleted may be
   * among them: look the ids up.
   */
  search(
    tenantId: string,
    model: string,
    query: Float32Array,
    options: VectorQuery,
    signal?: AbortSignal,
  ): Promise<VectorHit[]>;
}

/** Injection token of the search of the settings. */
export const VECTOR_SEARCH = Symbol('VECTOR_SEARCH');
