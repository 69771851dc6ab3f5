/** Injection token of the `SharedSessionPolicy`. */
export const SHARED_SESSION_POLICY = Symbol('SHARED_SESSION_POLICY');

/**
 * Decides whether sessions of a tenant may be kept in Redis. It is called for each Redis operation, so it
 * should be served from memory. If it fails, the operation is skipped. Deletions do not call it: entries
 * stored before a tenant was excluded are still deleted.
 */
export interface SharedSessionPolicy {
  allows(tenantId: string): boolean | Promise<boolean>;
}
