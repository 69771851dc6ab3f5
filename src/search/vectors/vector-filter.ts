import type { VectorAttributes } from './vector-source.js';

export interface VectorFilter {
  channel?: string | undefined;
  participantId?: string | undefined;
  /** Inclusive, milliseconds since 1970. */
  since?: number | undefined;
  /** Exclusive, milliseconds since 1970. */
  until?: number | undefined;
}

export interface VectorQuery extends VectorFilter {
  /** Maximum number of hits, at least 1. */
  limit: number;
}

export const matches = (row: VectorAttributes, filter: VectorFilter): boolean =>
  (filter.channel === undefined || row.channel === filter.channel) &&
  (filter.participantId === undefined || row.participantId === filter.participantId) &&
  (filter.since === undefined || row.at >= filter.since) &&
  (filter.until === undefined || row.at < filter.until);
