import { Inject } from '@nestjs/common';
import { TransactionRunner } from './transaction-runner.js';

const RUNNER = Symbol('transaction runner of @Transactional()');

type Method<Args extends unknown[], Value> = (...args: Args) => Promise<Value>;

/**
 * Runs a method of a provider or a controller in one transaction: all that it writes through models is stored
 * together, or nothing of it. Called within a transaction it joins that one.
 *
 * The transaction begins with the method itself: on a route, after guards and validation, so that a request
 * that they refuse opens none. After a transient error the method runs again, with the same arguments, within
 * the limits of `TransactionRunner`. So it does not change its arguments, and leaves effects outside the
 * database, and log lines, to `TransactionRunner.afterCommit`.
 * @throws Error when the object was not made by Nest, which injects the runner
 */
export const Transactional =
  () =>
  <Args extends unknown[], Value>(
    target: object,
    name: string | symbol,
    descriptor: TypedPropertyDescriptor<Method<Args, Value>>,
  ): void => {
    const work = descriptor.value;
    if (!work) throw new TypeError('@Transactional() belongs on a method');
    Inject(TransactionRunner)(target, RUNNER);
    const transactional = function (this: object, ...args: Args): Promise<Value> {
      const runner = (this as { [RUNNER]?: TransactionRunner })[RUNNER];
      if (!runner)
        throw new Error(
          `${target.constructor.name}.${String(name)}() needs the TransactionRunner that Nest injects`,
        );
      return runner.run(() => work.apply(this, args));
    };
    // Metadata of decorators applied before this one stays on the method: its route, its documentation.
    for (const key of Reflect.getMetadataKeys(work) as unknown[])
      Reflect.defineMetadata(key, Reflect.getMetadata(key, work), transactional);
    descriptor.value = transactional;
  };
