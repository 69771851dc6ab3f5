import { once } from 'node:events';
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { Queue } from 'bullmq';
import { Redis, type RedisOptions } from 'ioredis';
import { REDIS_SETTINGS, type RedisSettings } from '../../config/index.js';
import { LOGGER, type Logger } from '../../logging/index.js';

/** The data of a job in Redis. Everything else is in the job's record in the database. */
export interface BullData {
  tenantId: string;
}

/** More attempts than any queue allows. The job's record decides when it has finally failed. */
export const BULL_ATTEMPTS = 1_000_000;

const RECONNECT_MAX_MS = 1000;

/**
 * Creates BullMQ queues on first use. They share one connection, whose commands fail immediately while Redis
 * is unavailable.
 */
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

  /** Waits until connected, but no longer than REDIS_CONNECT_TIMEOUT_MS. */
  async onModuleInit(): Promise<void> {
    if (!this.producer || this.isReady) return;
    const signal = AbortSignal.timeout(this.settings.REDIS_CONNECT_TIMEOUT_MS);
    await once(this.producer, 'ready', { signal }).catch(() => undefined);
  }

  /** True if jobs can be added now. */
  get isReady(): boolean {
    return this.producer?.status === 'ready';
  }

  /** Calls the listener each time the connection becomes ready, including after a reconnect. */
  onReady(listener: () => void): void {
    this.readyListeners.push(listener);
  }

  /** Options shared by producers and workers: the prefix of the queues' keys. */
  options(): { prefix: string } {
    return { prefix: `${this.settings.REDIS_KEY_PREFIX}:bull` };
  }

  /** @throws Error if Redis is not configured */
  queue(name: string): Queue<BullData> {
    const queue = this.find(name);
    if (!queue) throw new Error('Redis is not configured, so there are no BullMQ queues');
    return queue;
  }

  /** Returns undefined if Redis is not configured. */
  find(name: string): Queue<BullData> | undefined {
    const present = this.queues.get(name);
    if (present || !this.producer) return present;
    const queue = new Queue<BullData>(name, {
      ...this.options(),
      connection: this.producer,
      skipWaitingForReady: true,
      // A producer does not need to know the Redis version before its first job. Workers do: without it they
      // block for whole seconds.
      skipVersionCheck: true,
    });
    queue.on('error', (error) => {
      this.logger.debug({ err: error, queue: name }, 'BullMQ queue error');
    });
    this.queues.set(name, queue);
    return queue;
  }

  /** Opens a connection that reconnects indefinitely. It is closed together with the queues. */
  connect(name: string, more: RedisOptions): Redis {
    const connection = new Redis(this.settings.REDIS_URL ?? '', {
      connectionName: `colloquy-${name}`,
      connectTimeout: this.settings.REDIS_CONNECT_TIMEOUT_MS,
      disconnectTimeout: 100,
      retryStrategy: (times) => Math.min(50 * 2 ** Math.min(times, 10), RECONNECT_MAX_MS),
      ...more,
    });
    connection.on('error', (error: Error) => {
      this.logger.debug({ err: error, connection: name }, 'Redis connection error');
    });
    this.connections.push(connection);
    return connection;
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.queues.values()].map((queue) => queue.close()));
    for (const connection of this.connections) connection.disconnect();
  }
}
