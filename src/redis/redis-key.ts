// encodeURIComponent does not escape these characters, but they would end the hash tag of a key or look like
// a pattern.
const special = /[!'()*]/g;

const escape = (part: string): string =>
  encodeURIComponent(part).replace(special, (char) => `%${char.charCodeAt(0).toString(16)}`);

/** Makes the characters literal that have a meaning in a pattern of Redis. */
const escapePattern = (text: string): string => text.replace(/[\\*?[\]^]/g, '\\$&');

/**
 * Builds the keys of one module. All keys of a tenant share the hash tag `{tenantId}`, so that a cluster
 * stores them in one slot and a script can use several of them. Parts are escaped, so different lists of
 * parts give different keys.
 */
export class RedisKeys {
  constructor(
    private readonly prefix: string,
    private readonly module: string,
  ) {}

  of(tenantId: string, ...parts: readonly string[]): string {
    return [`${this.prefix}:{${escape(tenantId)}}`, this.module, ...parts.map(escape)].join(':');
  }

  /** A pattern for SCAN that matches the tenant's keys of all modules. */
  allOf(tenantId: string): string {
    return `${escapePattern(`${this.prefix}:{${escape(tenantId)}}`)}:*`;
  }

  /** The channel for messages between processes. */
  get channel(): string {
    return `${this.prefix}:bus:${this.module}`;
  }
}
