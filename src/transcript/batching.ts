import { availableParallelism } from 'node:os';
import type { Embedder } from '../search/index.js';

/**
 * Returns how many batches may run concurrently. A local embedder keeps a CPU core busy, so one core is left
 * free for requests: additional batches there would not increase throughput and would only slow down
 * requests.
 */
export function concurrentBatches(
  wanted: number,
  { isLocal = false }: Pick<Embedder, 'isLocal'>,
  processors = availableParallelism(),
): number {
  return isLocal ? Math.min(wanted, Math.max(1, processors - 1)) : wanted;
}

/** Returns the size of the next batch: an even share of the waiting transcripts if more batches may start. */
export const batchSize = (
  waiting: number,
  mayBegin: number,
  { min, max }: { min: number; max: number },
): number => Math.max(min, Math.min(max, Math.ceil(waiting / Math.max(1, mayBegin))));

/**
 * Returns up to `size` of `waiting`, taking from each tenant in turn and keeping each tenant's order, so that
 * no tenant waits for all transcripts of another.
 */
export function fairShare<T extends { tenantId: string }>(waiting: readonly T[], size: number): T[] {
  if (waiting.length <= size) return [...waiting];
  const tenants = new Map<string, T[]>();
  for (const one of waiting) {
    const ofTenant = tenants.get(one.tenantId);
    if (ofTenant) ofTenant.push(one);
    else tenants.set(one.tenantId, [one]);
  }
  const taken: T[] = [];
  for (let turn = 0; taken.length < size; turn++)
    for (const ofTenant of tenants.values()) {
      const next = ofTenant[turn];
      if (next && taken.length < size) taken.push(next);
    }
  return taken;
}
