export * from './backoff.js';
export * from './circuit-breaker.js';
export * from './http-post.js';
export * from './keyed-serializer.js';
export * from './retry-budget.js';
export * from './signature.js';
