import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { Redis, type RedisOptions, ReplyError } from 'ioredis';
import { setTimeout as delay } from 'node:timers/promises';
import { type BreakerState, CircuitBreaker, messageOf } from '../common/index.js';
import { REDIS_SETTINGS, type RedisSettings } from '../config/index.js';
import { LOGGER, type Logger } from '../logging/index.js';
import { RedisKeys } from './redis-key.js';
import { RedisScript } from './redis-script.js';

/** Redis is not configured, is considered down, or did not reply in time. Callers continue without it. */
export class RedisUnavailableError extends Error {
  constructor(reason: string, options?: ErrorOptions) {
    super(`Redis is not available: ${reason}`, options);
    this.name = 'RedisUnavailableError';
  }
}

export interface RedisStats {
  /** `off`: not configured or disabled; otherwise the state of the circuit breaker. */
  state: BreakerState | 'off';
  calls: number;
  errors: number;
  /** Calls that were refused immediately because Redis is considered down. */
  refused: number;
  timesOpened: number;
}

type BusHandler = (message: string) => void;

const RECONNECT_BASE_MS = 50;
const RECONNECT_MAX_MS = 1000;
const RESUBSCRIBE_MS = 1000;
const BUS_PING_MS = 5000;

/**
 * Number of consecutive probes without a reply after which an open connection is replaced. The operating
 * system may consider a dead connection open for much longer.
 */
const UNANSWERED_PROBES = 4;

/** Minimum time between two log lines about error replies from Redis. */
const REFUSAL_LOG_INTERVAL_MS = 10_000;

/** The URL without user and password, for logs. */
const shownUrl = (url: string): string => url.replace(/\/\/[^@/]*@/, '//');

/**
 * The shared connection to Redis for everything that can do without it. Every call has a timeout, and fails
 * immediately while Redis is considered down. Recovery is automatic. Queues require Redis, and use
 * connections of their own.
 */
@Injectable()
export class RedisService implements OnModuleInit, OnApplicationShutdown {
  private readonly client: Redis | undefined;
  private readonly subscriber: Redis | undefined;
  private readonly breaker: CircuitBreaker;
  private readonly recoverHooks: ((client: Redis) => Promise<void>)[] = [];
  private readonly handlers = new Map<string, { onMessage: BusHandler; onGap: () => void }>();
  private trusted = false;
  private lastRefusalLogged = -Infinity;
  private subscribing: Promise<void> | undefined;
  private resubscribing: NodeJS.Timeout | undefined;
  private busWatch: NodeJS.Timeout | undefined;
  /** Number of consecutive probes without a reply on an open connection. */
  private unanswered = 0;
  private calls = 0;
  private errors = 0;
  private refused = 0;

  constructor(
    @Inject(REDIS_SETTINGS) private readonly settings: RedisSettings,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.breaker = new CircuitBreaker(
      {
        failures: settings.REDIS_BREAKER_FAILURES,
        probeIntervalMs: settings.REDIS_PROBE_INTERVAL_MS,
        probe: () => this.probe(),
        onChange: (state, reason) => {
          this.report(state, reason);
        },
      },
      'open',
    );
    if (settings.REDIS_URL === undefined || !settings.REDIS_ENABLED) return;
    this.client = this.connectionTo(settings.REDIS_URL, 'cache', {
      commandTimeout: settings.REDIS_COMMAND_TIMEOUT_MS,
    });
    this.subscriber = this.connectionTo(settings.REDIS_URL, 'bus', {
      autoResubscribe: false,
      commandTimeout: settings.REDIS_CONNECT_TIMEOUT_MS,
    });
  }

  /** False if Redis is not configured or disabled. */
  get enabled(): boolean {
    return this.client !== undefined;
  }

  /** False while Redis is considered down, and if it is not configured. */
  get available(): boolean {
    return this.enabled && this.breaker.isClosed;
  }

  keys(module: string): RedisKeys {
    return new RedisKeys(this.settings.REDIS_KEY_PREFIX, module);
  }

  /**
   * Waits for the connection for at most REDIS_CONNECT_TIMEOUT_MS. The application starts without Redis too.
   */
  async onModuleInit(): Promise<void> {
    const { client, subscriber } = this;
    if (!client || !subscriber) return;
    client.on('ready', () => void this.breaker.probeNow());
    client.on('close', () => {
      this.breaker.open('the connection is closed');
    });
    subscriber.on('ready', () => {
      this.subscribing = this.resubscribe(subscriber);
    });
    subscriber.on('message', (channel: string, message: string) => {
      this.dispatch(channel, message);
    });
    this.watchBus(subscriber);
    const url = shownUrl(this.settings.REDIS_URL ?? '');
    const connected = Promise.all([
      client.connect().then(() => this.breaker.probeNow()),
      subscriber.connect().then(() => this.subscribing),
    ]);
    const tooLate = delay(this.settings.REDIS_CONNECT_TIMEOUT_MS, undefined, { ref: false });
    await Promise.race([connected.catch(() => undefined), tooLate]);
    if (this.available) this.logger.info({ url }, 'connected to Redis');
    else this.logger.warn({ url }, 'Redis cannot be reached; continuing without it until it can');
  }

  async onApplicationShutdown(): Promise<void> {
    await this.breaker.stop();
    clearTimeout(this.resubscribing);
    clearInterval(this.busWatch);
    this.client?.disconnect();
    this.subscriber?.disconnect();
  }

  /**
   * Runs commands on the shared connection.
   * @throws RedisUnavailableError immediately while Redis is considered down, or after
   * REDIS_COMMAND_TIMEOUT_MS
   */
  async call<T>(work: (client: Redis) => Promise<T>): Promise<T> {
    if (!this.client || !this.breaker.isClosed) {
      this.refused++;
      throw new RedisUnavailableError(this.enabled ? 'it is considered down' : 'it is not configured');
    }
    this.calls++;
    try {
      const result = await work(this.client);
      this.breaker.succeeded();
      return result;
    } catch (error) {
      this.errors++;
      this.noteRefusal(error);
      this.breaker.failure(messageOf(error));
      throw new RedisUnavailableError(messageOf(error), { cause: error });
    }
  }

  /**
   * Registers a hook that runs each time Redis has become available again, before calls are allowed, so that
   * failed writes can be retried. If a hook fails, Redis is still considered down, and the next probe runs
   * all hooks again.
   */
  beforeTrust(hook: (client: Redis) => Promise<void>): void {
    this.recoverHooks.push(hook);
  }

  /**
   * Subscribes to `channel`; only one listener per channel. Messages that this process publishes are received
   * too. `onGap` is called after an interrupted connection, because messages may have been lost.
   */
  listen(channel: string, onMessage: BusHandler, onGap: () => void): void {
    this.handlers.set(channel, { onMessage, onGap });
    if (this.subscriber?.status === 'ready')
      this.subscriber.subscribe(channel).catch((error: unknown) => {
        this.logger.warn({ err: error, channel }, 'could not subscribe to a Redis channel');
      });
  }

  stats(): RedisStats {
    const { calls, errors, refused } = this;
    const state = this.enabled ? this.breaker.state : 'off';
    return { state, calls, errors, refused, timesOpened: this.breaker.timesOpened };
  }

  /**
   * Logs, at most every ten seconds, that Redis replied with an error, for example because it is out of
   * memory, because of an access rule, or because of a bug in this program.
   */
  private noteRefusal(error: unknown): void {
    if (!(error instanceof ReplyError) || Date.now() - this.lastRefusalLogged < REFUSAL_LOG_INTERVAL_MS)
      return;
    this.lastRefusalLogged = Date.now();
    this.logger.error({ err: error }, 'Redis replied with an error; this operation continues without it');
  }

  private async probe(): Promise<void> {
    const { client } = this;
    if (client?.status !== 'ready') throw new Error('the connection is not open');
    try {
      // A write, so that a read-only server does not pass. DEL is allowed even when memory is full.
      await client.del(`${this.settings.REDIS_KEY_PREFIX}:probe`);
      this.unanswered = 0;
    } catch (error) {
      this.unanswered = error instanceof ReplyError ? 0 : this.unanswered + 1;
      if (this.unanswered >= UNANSWERED_PROBES) {
        this.unanswered = 0;
        client.disconnect(true);
      }
      throw error;
    }
    await RedisScript.loadAll(client);
    for (const hook of this.recoverHooks) await hook(client);
  }

  /** An error thrown in the connection's data handler would terminate the process. */
  private dispatch(channel: string, message: string): void {
    try {
      this.handlers.get(channel)?.onMessage(message);
    } catch (error) {
      this.logger.error({ err: error, channel }, 'a message on a Redis channel could not be processed');
    }
  }

  /**
   * Pings on the subscriber's connection. As a subscriber sends nothing, it would not detect a lost server
   * for hours.
   */
  private watchBus(subscriber: Redis): void {
    this.busWatch = setInterval(() => {
      if (subscriber.status !== 'ready') return;
      subscriber.ping().catch(() => {
        subscriber.disconnect(true);
      });
    }, BUS_PING_MS);
    this.busWatch.unref();
  }

  private async resubscribe(subscriber: Redis): Promise<void> {
    try {
      const channels = [...this.handlers.keys()];
      if (channels.length > 0) await subscriber.subscribe(...channels);
      for (const { onGap } of this.handlers.values()) onGap();
    } catch (error) {
      this.logger.warn({ err: error }, 'could not subscribe to the Redis channels; retrying');
      // After a lost connection, the 'ready' event causes the next attempt. This timer is for an error reply.
      this.resubscribing = setTimeout(() => {
        if (subscriber.status === 'ready') void this.resubscribe(subscriber);
      }, RESUBSCRIBE_MS);
      this.resubscribing.unref();
    }
  }

  private connectionTo(url: string, name: string, more: RedisOptions): Redis {
    const connection = new Redis(url, {
      lazyConnect: true,
      connectionName: `colloquy-${name}`,
      connectTimeout: this.settings.REDIS_CONNECT_TIMEOUT_MS,
      // If ioredis is disconnected while it waits to reconnect, it keeps the process alive for this long.
      disconnectTimeout: 100,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      retryStrategy: (times) => Math.min(RECONNECT_BASE_MS * 2 ** Math.min(times, 10), RECONNECT_MAX_MS),
      // The error of a former primary after a failover. A new connection reaches the new primary.
      reconnectOnError: (error) => /\bREADONLY\b/.test(error.message),
      ...more,
    });
    // Without a listener, ioredis prints each failed attempt. State changes of the breaker are logged
    // instead.
    connection.on('error', (error: Error) => {
      this.logger.debug({ err: error, connection: name }, 'error on a Redis connection');
    });
    return connection;
  }

  private report(state: BreakerState, reason: string): void {
    if (state === 'closed') {
      this.trusted = true;
      this.logger.info('Redis is available');
    } else if (state === 'open' && this.trusted) {
      this.trusted = false;
      this.logger.warn({ reason }, 'Redis is considered down; continuing without it until a probe succeeds');
    }
  }
}
