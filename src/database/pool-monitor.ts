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

/** Counts the driver's connection pool from its events. Subscribe before the client connects, or connections are missed. */
export class PoolMonitor {
  private open = 0;
  private inUse = 0;
  private waiting = 0;
  private maxWaitMs = 0;
  private checkoutFailures = 0;
  private cleared = 0;

  constructor(private readonly maxSize: number) {}

  watch(client: mongo.MongoClient): void {
    client.on('connectionCreated', () => this.open++);
    client.on('connectionClosed', () => this.open--);
    client.on('connectionCheckOutStarted', () => this.waiting++);
    client.on('connectionCheckOutFailed', () => {
      this.waiting--;
      this.checkoutFailures++;
    });
    client.on('connectionCheckedOut', ({ durationMS }) => {
      this.waiting--;
      this.inUse++;
      this.maxWaitMs = Math.max(this.maxWaitMs, durationMS);
    });
    client.on('connectionCheckedIn', () => this.inUse--);
    client.on('connectionPoolCleared', () => this.cleared++);
  }

  stats(): PoolStats {
    const { open, inUse, waiting, maxSize, maxWaitMs, checkoutFailures, cleared } = this;
    return { open, inUse, waiting, maxSize, maxWaitMs, checkoutFailures, cleared };
  }
}
