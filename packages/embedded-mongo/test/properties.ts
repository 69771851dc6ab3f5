import fc from 'fast-check';

/**
 * Multiplies the default number of examples: `PROPERTY_RUNS=20 npx jest …` searches longer. A failure prints
 * its seed, its path and the smallest failing example. `PROPERTY_SEED` repeats that run.
 */
const factor = Number(process.env['PROPERTY_RUNS'] ?? 1);
const seed = process.env['PROPERTY_SEED'];

const parameters = <T>(runs: number): fc.Parameters<T> => ({
  numRuns: Math.max(1, Math.round(runs * factor)),
  ...(seed !== undefined && { seed: Number(seed) }),
});

/** Checks a property with this many examples, multiplied by PROPERTY_RUNS. */
export const expectHolds = <T>(property: fc.IProperty<T>, runs: number): void =>
  fc.assert(property, parameters<T>(runs));

/** Checks an asynchronous property with this many examples, multiplied by PROPERTY_RUNS. */
export const expectHoldsAsync = <T>(property: fc.IAsyncProperty<T>, runs: number): Promise<void> =>
  fc.assert(property, parameters<T>(runs));

/** Timeout of a property test, ms. */
export const propertyTimeoutMs = 60_000 * Math.max(1, factor);
