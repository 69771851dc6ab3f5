import type { mongo } from 'mongoose';

export interface PoolStats {
  /** Connections that exist. */
  open: number;
  /** Connections lent to an operation. */
  inUse: number;
  /** Operations that wait for a connection. */
  waiting: number;
  maxSize: number;
  /** Longest wait for a connection since start, milliseconds. */
  maxWaitMs: number;
  checkoutFailures: number;
  /** Times that the pool was emptied because the server was lost. */
  cleared: number;
}

/** Hears of operations that want a connection. Must not throw. */
export interface PoolListener {
  /** An operation begins to wait, if only until the driver comes round to it. */
  waits(pool: PoolUse): void;
  /** It has its connection, or was refused one. */
  served(pool: PoolUse, waitedMs: number, ok: boolean): void;
}

/** The numbers as they are whenever they are read. */
export type PoolUse = Readonly<Pick<PoolStats, 'inUse' | 'waiting' | 'maxSize'>>;

/** Counts the driver's connection pool from its events. Subscribe before the client connects, or connections are missed. */
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
