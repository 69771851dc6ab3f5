// encodeURIComponent leaves these as they are, but they would end the hash tag of a key or look like a
// pattern.
const special = /[!'()*]/g;

const escape = (part: string): string =>
  encodeURIComponent(part).replace(special, (char) => `%${char.charCodeAt(0).toString(16)}`);

/**
 * Builds the keys of one module. All keys of a tenant share the hash tag `{tenantId}`, so that a cluster
 * keeps them in one slot and a script may use several. Parts are escaped: no two lists of parts give the same
 * key.
 */
export class RedisKeys {
  constructor(
    private readonly prefix: string,
    private readonly module: string,
  ) {}

  of(tenantId: string, ...parts: readonly string[]): string {
    return [`${this.prefix}:{${escape(tenantId)}}`, this.module, ...parts.map(escape)].join(':');
  }

  /** Channel of messages between processes. */
  get channel(): string {
    return `${this.prefix}:bus:${this.module}`;
  }
}
