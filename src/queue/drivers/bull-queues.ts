import { once } from 'node:events';
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { Queue } from 'bullmq';
import { Redis, type RedisOptions } from 'ioredis';
import { REDIS_SETTINGS, type RedisSettings } from '../../config/index.js';
import { LOGGER, type Logger } from '../../logging/index.js';

/** What Redis holds of a job: everything else is in its record. */
export interface BullData {
  tenantId: string;
}

/** More tries than any queue has: the record of the job decides when it has failed for good. */
export const BULL_ATTEMPTS = 1_000_000;

const RECONNECT_MAX_MS = 1000;

/** BullMQ's queues, each on the same connection, which fails at once while Redis is away. Made when they are first asked for. */
@Injectable()
export class BullQueues implements OnModuleInit {
  private readonly queues = new Map<string, Queue<BullData>>();
  private readonly connections: Redis[] = [];
  private readonly readyListeners: (() => void)[] = [];
  private producer: Redis | undefined;

  constructor(
    @Inject(REDIS_SETTINGS) private readonly settings: RedisSettings,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    const { REDIS_URL, REDIS_ENABLED, REDIS_CONNECT_TIMEOUT_MS } = settings;
    if (REDIS_URL === undefined || !REDIS_ENABLED) return;
    this.producer = this.connect('queue', {
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      commandTimeout: REDIS_CONNECT_TIMEOUT_MS,
    });
    this.producer.on('ready', () => {
      for (const listener of this.readyListeners) listener();
    });
  }

  /** Waits until it is connected, but never longer than for one connection. */
  async onModuleInit(): Promise<void> {
    if (!this.producer || this.isReady) return;
    const signal = AbortSignal.timeout(this.settings.REDIS_CONNECT_TIMEOUT_MS);
    await once(this.producer, 'ready', { signal }).catch(() => undefined);
  }

  /** Whether jobs can be handed over now. */
  get isReady(): boolean {
    return this.producer?.status === 'ready';
  }

  /** Calls the listener each time that Redis is (back) there. */
  onReady(listener: () => void): void {
    this.readyListeners.push(listener);
  }

  /** Where the keys of a queue are; for its producers and workers alike. */
  options(): { prefix: string } {
    return { prefix: `${this.settings.REDIS_KEY_PREFIX}:bull` };
  }

  /** @throws Error when there is no Redis */
  queue(name: string): Queue<BullData> {
    const queue = this.find(name);
    if (!queue) throw new Error('there is no Redis for queues');
    return queue;
  }

  /** Undefined when there is no Redis. */
  find(name: string): Queue<BullData> | undefined {
    const present = this.queues.get(name);
    if (present || !this.producer) return present;
    const queue = new Queue<BullData>(name, {
      ...this.options(),
      connection: this.producer,
      skipWaitingForReady: true,
      // A producer asks nothing before its first job. Workers do ask: they sleep whole seconds where they do not know the version.
      skipVersionCheck: true,
    });
    queue.on('error', (error) => {
      this.logger.debug({ err: error, queue: name }, 'a queue of BullMQ reports an error');
    });
    this.queues.set(name, queue);
    return queue;
  }

  /** A connection that reconnects for ever; closed with the queues. */
  connect(name: string, more: RedisOptions): Redis {
    const connection = new Redis(this.settings.REDIS_URL ?? '', {
      connectionName: `colloquy-${name}`,
      connectTimeout: this.settings.REDIS_CONNECT_TIMEOUT_MS,
      disconnectTimeout: 100,
      retryStrategy: (times) => Math.min(50 * 2 ** Math.min(times, 10), RECONNECT_MAX_MS),
      ...more,
    });
    connection.on('error', (error: Error) => {
      this.logger.debug({ err: error, connection: name }, 'error on a connection to Redis');
    });
    this.connections.push(connection);
    return connection;
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.queues.values()].map((queue) => queue.close()));
    for (const connection of this.connections) connection.disconnect();
  }
}
