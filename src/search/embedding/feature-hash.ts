const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/**
 * Spreads each bit of the state over all 32 bits (the finalizer of MurmurHash3). Returns an unsigned integer.
 */
export function mix(state: number): number {
  let hash = state ^ (state >>> 16);
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Initial hash state. Different seeds keep the feature types apart. */
export const seeded = (seed: number): number => Math.imul(FNV_OFFSET ^ seed, FNV_PRIME);

/** The state after another UTF-16 code unit (FNV-1a per unit). */
export const step = (state: number, unit: number): number => Math.imul(state ^ unit, FNV_PRIME);

/** Unsigned 32-bit hash of a text. */
export function hashText(text: string, seed: number): number {
  let state = seeded(seed);
  for (let i = 0; i < text.length; i++) state = step(state, text.charCodeAt(i));
  return mix(state);
}
