/** Injection token of the clock of rate limits: milliseconds that never run backwards. */
export const TENANT_CLOCK = Symbol('TENANT_CLOCK');

export interface MonotonicClock {
  now(): number;
}
