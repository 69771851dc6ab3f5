import type { OnApplicationShutdown } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { backoffDelay } from '../../common/index.js';
import { HttpClient, signatureOf } from '../../http-client/index.js';
import type { Logger } from '../../logging/index.js';
import type { Alert, ServiceStatus } from './alert.js';

/** The body of a post. */
export interface AlertEvent {
  event: 'alert.raised' | 'alert.worsened' | 'alert.cleared';
  /** ISO 8601. */
  at: string;
  /** Status of the process after this change. */
  status: ServiceStatus;
  service: { name: string; version: string; instance: string };
  alert: Alert;
}

export interface AlertWebhookOptions {
  /** Undefined: no alerts are sent. */
  url: string | undefined;
  secret: string | undefined;
  logger: Logger;
  /** Maximum time that a shutdown waits for unsent alerts, milliseconds. */
  flushMs: number;
  /** Delays between attempts. */
  backoff?: { baseMs: number; maxMs: number };
  /** Timeout of one attempt, milliseconds. */
  timeoutMs?: number;
}

interface Delivery {
  /** The same for every attempt, so that the receiver can detect duplicates. */
  id: string;
  event: AlertEvent;
  body: string;
}

const ATTEMPTS = 5;
const MAX_WAITING = 100;
const MAX_RESPONSE_BYTES = 64 * 1024;

/** Whether another attempt may succeed after this status. */
const isTransient = (status: number): boolean => status >= 500 || status === 408 || status === 429;

const reasonOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  return error.message || ('code' in error ? String(error.code) : error.name);
};

/** Why an attempt failed; undefined instead if the alert was delivered. */
interface Failure {
  reason: string;
  isRetryable: boolean;
}

/**
 * Posts alerts to one URL, one after the other and in order. At most 100 alerts wait; beyond that, the oldest
 * are dropped. Alerts that cannot be delivered are logged. The URL is never logged, because such URLs often
 * contain a secret.
 */
export class AlertWebhook implements OnApplicationShutdown {
  private readonly waiting: Delivery[] = [];
  private worker: Promise<void> | undefined;
  private readonly http = new HttpClient({ maxResponseBytes: MAX_RESPONSE_BYTES });
  /** Aborted when a shutdown begins: then each waiting alert gets one attempt without delay. */
  private readonly closing = new AbortController();
  /** Aborted when the time for the shutdown is over. */
  private readonly over = new AbortController();
  private readonly url: URL | undefined;

  constructor(private readonly options: AlertWebhookOptions) {
    this.url = options.url === undefined ? undefined : new URL(options.url);
  }

  /** Queues the event and returns immediately. */
  send(event: AlertEvent): void {
    if (!this.url) return;
    this.waiting.push({ id: randomUUID(), event, body: JSON.stringify(event) });
    // The first one is being sent, so the second is the oldest that waits.
    if (this.waiting.length > MAX_WAITING)
      for (const { event: lost } of this.waiting.splice(1, 1))
        this.logUndelivered(lost, 'too many alerts are waiting to be sent');
    this.worker ??= this.work(this.url).finally(() => (this.worker = undefined));
  }

  /** Resolves when all alerts have been sent or dropped. */
  async idle(): Promise<void> {
    await this.worker;
  }

  async onApplicationShutdown(): Promise<void> {
    this.closing.abort();
    const timer = setTimeout(() => {
      this.over.abort();
    }, this.options.flushMs);
    await this.worker;
    clearTimeout(timer);
    await this.http.close();
  }

  private async work(url: URL): Promise<void> {
    for (let next = this.waiting[0]; next; next = this.waiting[0]) {
      await this.deliver(url, next);
      this.waiting.shift();
    }
  }

  private async deliver(url: URL, delivery: Delivery): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const isLast = attempt >= ATTEMPTS || this.closing.signal.aborted;
      if (this.over.signal.aborted) {
        this.logUndelivered(delivery.event, 'the process is shutting down', attempt - 1);
        return;
      }
      const failure = await this.attempt(url, delivery);
      if (!failure) return;
      if (isLast || !failure.isRetryable) {
        this.logUndelivered(delivery.event, failure.reason, attempt);
        return;
      }
      const { baseMs, maxMs } = this.options.backoff ?? { baseMs: 1000, maxMs: 30_000 };
      const waitMs = backoffDelay(attempt, { baseMs, maxMs, jitter: 0.5 });
      await delay(waitMs, undefined, { signal: this.closing.signal }).catch(() => undefined);
    }
  }

  private async attempt(url: URL, { id, body }: Delivery): Promise<Failure | undefined> {
    const signal = AbortSignal.any([AbortSignal.timeout(this.options.timeoutMs ?? 5000), this.over.signal]);
    try {
      const headers = this.headersOf(id, body);
      const { status } = await this.http.request({ method: 'POST', url, headers, body, signal });
      if (status >= 200 && status < 300) return undefined;
      return { reason: `the receiver responded with ${status}`, isRetryable: isTransient(status) };
    } catch (error) {
      const reason = signal.aborted ? 'no response in time' : reasonOf(error);
      return { reason, isRetryable: !this.over.signal.aborted };
    }
  }

  private headersOf(id: string, body: string): Record<string, string> {
    const { secret } = this.options;
    const timestamp = String(Math.floor(Date.now() / 1000));
    return {
      'content-type': 'application/json',
      accept: 'application/json',
      'user-agent': 'Colloquy',
      'idempotency-key': id,
      'x-colloquy-timestamp': timestamp,
      ...(secret !== undefined && { 'x-colloquy-signature': signatureOf(secret, timestamp, body) }),
    };
  }

  private logUndelivered({ event, alert }: AlertEvent, reason: string, attempts = 0): void {
    this.options.logger.error(
      { alertId: alert.id, alert: alert.name, event, reason, attempts },
      'an alert could not be delivered to ALERT_WEBHOOK_URL',
    );
  }
}
