/**
 * Dot product of `query` with `query.length` numbers of `vectors`, starting at `offset`. Uses four
 * independent sums so that the CPU can pipeline the additions. The order of additions is fixed, so the result
 * is reproducible to the last bit.
 */
export function dotProduct(query: Float32Array, vectors: Float32Array, offset: number): number {
  const length = query.length;
  const even = length - (length % 4);
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  // The casts avoid a check in the inner loop. The caller guarantees `vectors.length >= offset +
  // query.length`.
  for (let i = 0, j = offset; i < even; i += 4, j += 4) {
    a += (query[i] as number) * (vectors[j] as number);
    b += (query[i + 1] as number) * (vectors[j + 1] as number);
    c += (query[i + 2] as number) * (vectors[j + 2] as number);
    d += (query[i + 3] as number) * (vectors[j + 3] as number);
  }
  for (let i = even; i < length; i++) a += (query[i] as number) * (vectors[offset + i] as number);
  return a + b + (c + d);
}

/** True if every number is finite. A single NaN would make the order of results arbitrary. */
export function isFiniteVector(vector: Float32Array): boolean {
  for (let i = 0; i < vector.length; i++) if (!Number.isFinite(vector[i])) return false;
  return true;
}
