import { Inject } from '@nestjs/common';
import type { CacheKey, Lifetime } from './cache-key.js';
import { CacheService } from './cache.service.js';

export interface CachedOptions<Args extends unknown[], Value> {
  /** The key of one call, from its arguments. */
  key: (...args: Args) => CacheKey<Value>;
  /** Or the time to live alone, milliseconds. */
  lifetime: Lifetime | number;
}

const CACHE = Symbol('cache of @Cached()');

type Method<Args extends unknown[], Value> = (...args: Args) => Promise<Value | undefined>;

/**
 * Answers a method of a provider from the cache; the method itself is the load. The cache is injected by the decorator. A method that
 * answers undefined says that there is none.
 */
export const Cached =
  <Args extends unknown[], Value>({ key, lifetime }: CachedOptions<Args, Value>) =>
  (
    target: object,
    _name: string | symbol,
    descriptor: TypedPropertyDescriptor<Method<Args, Value>>,
  ): void => {
    const load = descriptor.value;
    if (!load) throw new TypeError('@Cached() belongs on a method');
    Inject(CacheService)(target, CACHE);
    descriptor.value = function (this: object, ...args: Args): Promise<Value | undefined> {
      const cache = (this as { [CACHE]?: CacheService })[CACHE];
      if (!cache)
        throw new Error('@Cached() needs a provider that Nest makes, in an application with CacheModule');
      return cache.wrap(key(...args), lifetime, () => load.apply(this, args));
    };
  };
