import { type BeforeApplicationShutdown, Inject, Injectable } from '@nestjs/common';
import { SERVICE_SETTINGS, type ServiceSettings, SHUTDOWN_SHARES } from '../config/index.js';
import { LOGGER, type Logger } from '../logging/index.js';
import { QUEUE_DRIVER, type QueueDriver } from './drivers/queue-driver.js';
import { QueueRegistry } from './queue-registry.js';

/**
 * Starts processing queues when an entry point requests it, and stops it at shutdown before other modules
 * close what jobs use.
 */
@Injectable()
export class QueueWorkers implements BeforeApplicationShutdown {
  private started = false;

  constructor(
    private readonly registry: QueueRegistry,
    @Inject(QUEUE_DRIVER) private readonly driver: QueueDriver,
    @Inject(SERVICE_SETTINGS) private readonly settings: ServiceSettings,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** Must be called after the application has started. */
  async start(): Promise<void> {
    if (this.started) return;
    this.started = true;
    const queues = this.registry.registered();
    await this.driver.start(queues);
    const names = queues.map(({ definition }) => definition.name);
    this.logger.info({ queues: names, driver: this.driver.kind }, 'processing queues');
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.driver.stop(this.settings.SHUTDOWN_GRACE_MS * SHUTDOWN_SHARES.jobs);
  }
}
