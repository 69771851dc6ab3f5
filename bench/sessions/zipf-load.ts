import { LRUCache } from 'lru-cache';

/**
 * Chooses participants from 0 to `participants` - 1; the probability of number n is proportional to 1 / (n +
 * 1).
 */
export function zipfSequence(length: number, participants: number, random: () => number): number[] {
  const upTo = new Float64Array(participants);
  let sum = 0;
  for (let index = 0; index < participants; index++) {
    sum += 1 / (index + 1);
    upTo[index] = sum;
  }
  return Array.from({ length }, () => firstAbove(upTo, random() * sum));
}

/** Returns the index of the first value above `value`, by binary search. */
function firstAbove(ascending: Float64Array, value: number): number {
  let low = 0;
  let high = ascending.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ascending[middle] ?? 0) > value) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Returns how many of these sequential accesses are hits in an LRU cache of `size` entries. */
export function hitsOfLru(sequence: readonly number[], size: number): number {
  const entries = new LRUCache<number, true>({ max: size });
  let hits = 0;
  for (const key of sequence) {
    if (entries.get(key)) hits++;
    else entries.set(key, true);
  }
  return hits;
}

/** Returns how many of these accesses are the first of their participant, which no cache can serve. */
export const newcomers = (sequence: readonly number[]): number => new Set(sequence).size;
