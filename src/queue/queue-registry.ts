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

/** All queues that modules declare. Holds the processors once the application has started. */
@Injectable()
export class QueueRegistry implements OnApplicationBootstrap {
  private readonly definitions = new Map<string, QueueDeclaration>();
  private readonly processors = new Map<QueueDeclaration, JobProcessor<unknown>>();

  constructor(private readonly discovery: DiscoveryService) {}

  /** @throws StartupError when another queue has the name */
  add(definition: QueueDeclaration): void {
    const present = this.definitions.get(definition.name);
    if (present && present !== definition)
      throw new StartupError(`Two queues are named "${definition.name}". Give one of them another name.`);
    this.definitions.set(definition.name, definition);
  }

  /** @throws StartupError when a declared queue has no processor or two, or a processor is of a queue that is not declared */
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
          `Queue "${definition.name}" has no processor. Provide a class with @ProcessorOf() it.`,
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

  /** Queues with those who do their work; to be asked for after the start of the application. */
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
