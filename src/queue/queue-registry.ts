import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import { StartupError } from '../config/index.js';
import { type JobProcessor, PROCESSOR_OF } from './processor.decorator.js';
import type { QueueDeclaration } from './queue-definition.js';
import { queueNotFound } from './queue.errors.js';

export interface RegisteredQueue {
  readonly definition: QueueDeclaration;
  readonly processor: JobProcessor<unknown>;
}

/** Holds all declared queues and, once the application has started, their processors. */
@Injectable()
export class QueueRegistry implements OnApplicationBootstrap {
  private readonly definitions = new Map<string, QueueDeclaration>();
  private readonly processors = new Map<QueueDeclaration, JobProcessor<unknown>>();

  constructor(private readonly discovery: DiscoveryService) {}

  /** @throws StartupError if another queue has the same name */
  add(definition: QueueDeclaration): void {
    const present = this.definitions.get(definition.name);
    if (present && present !== definition)
      throw new StartupError(`Two queues are named "${definition.name}". Rename one of them.`);
    this.definitions.set(definition.name, definition);
  }

  /**
   * @throws StartupError if a declared queue has no processor or several, or a processor belongs to an
   * undeclared queue
   */
  onApplicationBootstrap(): void {
    for (const wrapper of this.discovery.getProviders()) {
      const type: unknown = wrapper.metatype;
      if (typeof type !== 'function') continue;
      const definition = Reflect.getMetadata(PROCESSOR_OF, type) as QueueDeclaration | undefined;
      if (definition) this.addProcessor(definition, wrapper.instance as JobProcessor<unknown>, type.name);
    }
    for (const definition of this.definitions.values())
      if (!this.processors.has(definition))
        throw new StartupError(
          `Queue "${definition.name}" has no processor. Provide a class decorated with @ProcessorOf() for it.`,
        );
  }

  /** @throws ProblemError 404 `queue_not_found` */
  definition(name: string): QueueDeclaration {
    const definition = this.definitions.get(name);
    if (!definition) throw queueNotFound(name);
    return definition;
  }

  all(): QueueDeclaration[] {
    return [...this.definitions.values()];
  }

  /** Returns the queues with their processors. Call it only after the application has started. */
  registered(): RegisteredQueue[] {
    return [...this.processors].map(([definition, processor]) => ({ definition, processor }));
  }

  private addProcessor(definition: QueueDeclaration, processor: JobProcessor<unknown>, name: string): void {
    if (this.definitions.get(definition.name) !== definition)
      throw new StartupError(
        `${name} is the processor of queue "${definition.name}", which no module declares. Add QueueModule.forFeature([...]) to its module.`,
      );
    const present = this.processors.get(definition);
    if (present && present !== processor)
      throw new StartupError(
        `Queue "${definition.name}" has two processors, ${present.constructor.name} and ${name}. Remove one.`,
      );
    this.processors.set(definition, processor);
  }
}
