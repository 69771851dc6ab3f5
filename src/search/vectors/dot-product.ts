/**
 * Dot product of `query` with the `query.length` numbers of `vectors` from `offset`. Four sums are added up side by side, so that the
 * processor need not wait for each addition; the order of additions is fixed, and so is the result, to the last bit.
 */
export function dotProduct(query: Float32Array, vectors: Float32Array, offset: number): number {
  const length = query.length;
  const even = length - (length % 4);
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  // The casts spare a check in the inner loop: the caller holds `vectors.length >= offset + query.length`.
  for (let i = 0, j = offset; i < even; i += 4, j += 4) {
    a += (query[i] as number) * (vectors[j] as number);
    b += (query[i + 1] as number) * (vectors[j + 1] as number);
    c += (query[i + 2] as number) * (vectors[j + 2] as number);
    d += (query[i + 3] as number) * (vectors[j + 3] as number);
  }
  for (let i = even; i < length; i++) a += (query[i] as number) * (vectors[offset + i] as number);
  return a + b + (c + d);
}

/** Every number is finite: one NaN would make the order of answers arbitrary. */
export function isFiniteVector(vector: Float32Array): boolean {
  for (let i = 0; i < vector.length; i++) if (!Number.isFinite(vector[i])) return false;
  return true;
}
