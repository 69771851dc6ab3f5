const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** Spreads each bit of the state over all 32 (the finalizer of MurmurHash3); unsigned. */
export function mix(state: number): number {
  let hash = state ^ (state >>> 16);
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** State of a hash that has read nothing; kinds of features with different seeds do not meet. */
export const seeded = (seed: number): number => Math.imul(FNV_OFFSET ^ seed, FNV_PRIME);

/** The state after one more UTF-16 code unit (FNV-1a, a unit at a time). */
export const step = (state: number, unit: number): number => Math.imul(state ^ unit, FNV_PRIME);

/** 32-bit hash of a text; unsigned. */
export function hashText(text: string, seed: number): number {
  let state = seeded(seed);
  for (let i = 0; i < text.length; i++) state = step(state, text.charCodeAt(i));
  return mix(state);
}
