import fc from 'fast-check';

/**
 * How many times as many examples are tried as by default: `PROPERTY_RUNS=20 npx jest …` looks longer. A
 * failure prints its seed and path, and the smallest example; `PROPERTY_SEED` tries that one again.
 */
const factor = Number(process.env['PROPERTY_RUNS'] ?? 1);
const seed = process.env['PROPERTY_SEED'];

const parameters = <T>(runs: number): fc.Parameters<T> => ({
  numRuns: Math.max(1, Math.round(runs * factor)),
  ...(seed !== undefined && { seed: Number(seed) }),
});

/** Tries a property on so many examples, times PROPERTY_RUNS. */
export const expectHolds = <T>(property: fc.IProperty<T>, runs: number): void =>
  fc.assert(property, parameters<T>(runs));

/** The same for a property that waits. */
export const expectHoldsAsync = <T>(property: fc.IAsyncProperty<T>, runs: number): Promise<void> =>
  fc.assert(property, parameters<T>(runs));

/** Time for a test of properties, ms. */
export const propertyTimeoutMs = 60_000 * Math.max(1, factor);
