/** Injection token of the `SharedSessionPolicy`. */
export const SHARED_SESSION_POLICY = Symbol('SHARED_SESSION_POLICY');

/**
 * Says whether sessions of a tenant may be kept in Redis. Asked at each step there, so it should answer from
 * memory; one that fails counts as a no. Deletions are not asked for: what was kept before a switch is
 * removed all the same.
 */
export interface SharedSessionPolicy {
  allows(tenantId: string): boolean | Promise<boolean>;
}
