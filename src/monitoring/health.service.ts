import { Injectable } from '@nestjs/common';
import { DatabaseService } from '../database/index.js';

/** Longest time that readiness waits for the database. */
export const READY_PING_TIMEOUT_MS = 2000;

export interface HealthReport {
  status: 'ok' | 'error';
  checks: Record<string, { status: 'up' | 'down'; reason?: string }>;
}

/** What the probes ask; the same for the API and the worker. */
@Injectable()
export class HealthService {
  private shuttingDown = false;

  constructor(private readonly database: DatabaseService) {}

  /** From now on `ready` says no, so that no new work is sent here. */
  beginShutdown(): void {
    this.shuttingDown = true;
  }

  /** The process answers: nothing but itself is asked, so that a lost database never restarts it. */
  live(): HealthReport {
    return { status: 'ok', checks: { process: { status: 'up' } } };
  }

  /** Work can be done here: the database answers, and no shutdown has begun. */
  async ready(): Promise<HealthReport> {
    if (this.shuttingDown)
      return { status: 'error', checks: { shutdown: { status: 'down', reason: 'shutting down' } } };
    try {
      await this.database.ping(READY_PING_TIMEOUT_MS);
      return { status: 'ok', checks: { database: { status: 'up' } } };
    } catch {
      return { status: 'error', checks: { database: { status: 'down', reason: 'does not answer' } } };
    }
  }
}
