import { availableParallelism } from 'node:os';
import type { Embedder } from '../search/index.js';

/**
 * How many batches may be at work at once. An embedder on this machine takes a processor while it works: one is left to those who send
 * transcripts, as batches that overlap there store no more a second and make them wait.
 */
export function concurrentBatches(
  wanted: number,
  { isLocal = false }: Pick<Embedder, 'isLocal'>,
  processors = availableParallelism(),
): number {
  return isLocal ? Math.min(wanted, Math.max(1, processors - 1)) : wanted;
}

/** How many of those that wait the next batch takes: an even share of them when more batches may begin. */
export const batchSize = (
  waiting: number,
  mayBegin: number,
  { min, max }: { min: number; max: number },
): number => Math.max(min, Math.min(max, Math.ceil(waiting / Math.max(1, mayBegin))));

/** Up to `size` of `waiting`, one of each tenant in turn, each tenant's in their order: no tenant waits for all of another's. */
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
