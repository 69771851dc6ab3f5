import type { mongo } from 'mongoose';

export interface PoolStats {
  /** Existing connections. */
  open: number;
  /** Connections in use by an operation. */
  inUse: number;
  /** Operations waiting for a connection. */
  waiting: number;
  maxSize: number;
  /** Longest wait for a connection since start, in milliseconds. */
  maxWaitMs: number;
  checkoutFailures: number;
  /** How often the pool was cleared because the server was lost. */
  cleared: number;
}

/** Is notified when operations request connections. Must not throw. */
export interface PoolListener {
  /** An operation starts to wait for a connection, even if only briefly. */
  waits(pool: PoolUse): void;
  /** The operation got its connection (`ok`), or the request failed. */
  served(pool: PoolUse, waitedMs: number, ok: boolean): void;
}

/** A live view of the pool: the values change as the pool changes. */
export type PoolUse = Readonly<Pick<PoolStats, 'inUse' | 'waiting' | 'maxSize'>>;

/**
 * Tracks the driver's connection pool through its events. Call `watch` before the client connects, or
 * connections are missed.
 */
export class PoolMonitor {
  private open = 0;
  inUse = 0;
  waiting = 0;
  private maxWaitMs = 0;
  private checkoutFailures = 0;
  private cleared = 0;
  private readonly listeners: PoolListener[] = [];

  constructor(readonly maxSize: number) {}

  watch(client: mongo.MongoClient): void {
    client.on('connectionCreated', () => this.open++);
    client.on('connectionClosed', () => this.open--);
    client.on('connectionCheckOutStarted', () => {
      this.waiting++;
      for (const listener of this.listeners) listener.waits(this);
    });
    client.on('connectionCheckOutFailed', ({ durationMS }) => {
      this.waiting--;
      this.checkoutFailures++;
      for (const listener of this.listeners) listener.served(this, durationMS, false);
    });
    client.on('connectionCheckedOut', ({ durationMS }) => {
      this.waiting--;
      this.inUse++;
      this.maxWaitMs = Math.max(this.maxWaitMs, durationMS);
      for (const listener of this.listeners) listener.served(this, durationMS, true);
    });
    client.on('connectionCheckedIn', () => this.inUse--);
    client.on('connectionPoolCleared', () => this.cleared++);
  }

  listen(listener: PoolListener): void {
    this.listeners.push(listener);
  }

  stats(): PoolStats {
    const { open, inUse, waiting, maxSize, maxWaitMs, checkoutFailures, cleared } = this;
    return { open, inUse, waiting, maxSize, maxWaitMs, checkoutFailures, cleared };
  }
}
