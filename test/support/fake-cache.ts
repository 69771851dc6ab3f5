import type { CacheKey, CacheService, Lifetime } from '../../src/cache/index.js';

/** A clock in milliseconds that the test advances explicitly. */
export interface FakeClock {
  time: number;
}

/**
 * The parts of the cache that unit specs need, in memory: entries expire after `localTtlMs`, concurrent loads
 * of a key are shared, and the result of a load is not stored if the key was invalidated meanwhile.
 */
export class FakeCache implements Pick<CacheService, 'wrap' | 'peek' | 'del' | 'invalidateTenant'> {
  private readonly entries = new Map<string, { value: unknown; until: number }>();
  private readonly loads = new Map<string, Promise<unknown>>();

  constructor(private readonly clock: FakeClock) {}

  /** All stored keys, including expired ones. */
  get size(): number {
    return this.entries.size;
  }

  peek<V>({ text }: CacheKey<V>): V | undefined {
    const entry = this.entries.get(text);
    return entry && this.clock.time < entry.until ? (entry.value as V) : undefined;
  }

  async wrap<V>(
    { text }: CacheKey<V>,
    lifetime: Lifetime | number,
    load: () => Promise<V | undefined>,
  ): Promise<V | undefined> {
    const entry = this.entries.get(text);
    if (entry && this.clock.time < entry.until) return entry.value as V;
    const shared = this.loads.get(text);
    if (shared) return shared as Promise<V | undefined>;
    const loading = load();
    this.loads.set(text, loading);
    try {
      const value = await loading;
      if (value !== undefined && this.loads.get(text) === loading)
        this.entries.set(text, { value: Object.freeze(value), until: this.clock.time + holdsFor(lifetime) });
      return value;
    } finally {
      if (this.loads.get(text) === loading) this.loads.delete(text);
    }
  }

  del({ text }: CacheKey<unknown>): Promise<void> {
    return this.forget((key) => key === text);
  }

  invalidateTenant(tenantId: string): Promise<void> {
    return this.forget((key) => key.startsWith(`${tenantId}\0`));
  }

  private forget(isMeant: (key: string) => boolean): Promise<void> {
    for (const map of [this.entries, this.loads])
      for (const key of map.keys()) if (isMeant(key)) map.delete(key);
    return Promise.resolve();
  }
}

const holdsFor = (lifetime: Lifetime | number): number =>
  typeof lifetime === 'number' ? lifetime : (lifetime.localTtlMs ?? lifetime.ttlMs);
