export * from './backoff.js';
export * from './circuit-breaker.js';
export * from './deep-freeze.js';
export * from './errors.js';
export * from './keyed-serializer.js';
export * from './race.js';
export * from './retry-budget.js';
export * from './retry-policy.js';
