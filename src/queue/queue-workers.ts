import { type BeforeApplicationShutdown, Inject, Injectable } from '@nestjs/common';
import { SERVICE_SETTINGS, type ServiceSettings, SHUTDOWN_SHARES } from '../config/index.js';
import { LOGGER, type Logger } from '../logging/index.js';
import { QUEUE_DRIVER, type QueueDriver } from './drivers/queue-driver.js';
import { QueueRegistry } from './queue-registry.js';

/** Starts the work on queues when an entry says so, and ends it at shutdown before modules lose what jobs need. */
@Injectable()
export class QueueWorkers implements BeforeApplicationShutdown {
  private started = false;

  constructor(
    private readonly registry: QueueRegistry,
    @Inject(QUEUE_DRIVER) private readonly driver: QueueDriver,
    @Inject(SERVICE_SETTINGS) private readonly settings: ServiceSettings,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** To be called once the application has started. */
  async start(): Promise<void> {
    if (this.started) return;
    this.started = true;
    const queues = this.registry.registered();
    await this.driver.start(queues);
    const names = queues.map(({ definition }) => definition.name);
    this.logger.info({ queues: names, driver: this.driver.kind }, 'doing the work of queues');
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.driver.stop(this.settings.SHUTDOWN_GRACE_MS * SHUTDOWN_SHARES.jobs);
  }
}
