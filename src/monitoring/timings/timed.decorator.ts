import { Inject } from '@nestjs/common';
import { PerformanceMonitor } from './performance-monitor.js';

const MONITOR = Symbol('monitor of @Timed()');

type Method<Args extends unknown[], Value> = (...args: Args) => Promise<Value>;

/**
 * Times an asynchronous method of a provider, as `Class.method` or under the given name. The decorator
 * injects the monitor. Objects that were not created by Nest work without timing.
 */
export const Timed =
  <Args extends unknown[], Value>(operation?: string) =>
  (target: object, name: string | symbol, descriptor: TypedPropertyDescriptor<Method<Args, Value>>): void => {
    const work = descriptor.value;
    if (!work) throw new TypeError('@Timed() can only be applied to a method');
    Inject(PerformanceMonitor)(target, MONITOR);
    const label = operation ?? `${target.constructor.name}.${String(name)}`;
    descriptor.value = function (this: object, ...args: Args): Promise<Value> {
      const monitor = (this as { [MONITOR]?: PerformanceMonitor })[MONITOR];
      return monitor ? monitor.time(label, () => work.apply(this, args)) : work.apply(this, args);
    };
  };
