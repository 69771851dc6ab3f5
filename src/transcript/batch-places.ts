import { availableParallelism } from 'node:os';
import type { Embedder } from './embedding/embedder.js';

/**
 * How many batches may be at work at once. An embedder on this machine takes a processor while it works: one is left to those who send
 * transcripts, as batches that overlap there store no more a second and make them wait.
 */
export function batchPlaces(
  wanted: number,
  { isLocal = false }: Pick<Embedder, 'isLocal'>,
  processors = availableParallelism(),
): number {
  return isLocal ? Math.min(wanted, Math.max(1, processors - 1)) : wanted;
}

/** How many of those that `wait` the next batch takes: an even share when other places are free as well. */
export const batchSize = (
  waiting: number,
  freePlaces: number,
  { min, max }: { min: number; max: number },
): number => Math.max(min, Math.min(max, Math.ceil(waiting / Math.max(1, freePlaces))));
