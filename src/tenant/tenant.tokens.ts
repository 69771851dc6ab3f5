/** Injection token for the clock of the rate limiter: monotonic, in milliseconds. */
export const TENANT_CLOCK = Symbol('TENANT_CLOCK');

export interface MonotonicClock {
  now(): number;
}
