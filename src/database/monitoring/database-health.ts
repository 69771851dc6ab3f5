import { Injectable } from '@nestjs/common';
import type { HealthCheck, HealthFinding } from '../../monitoring/index.js';
import { DatabaseService } from '../database.service.js';
import { IndexManager } from '../index-manager.js';

/** Longer than the timeout of a health check, which stops waiting first. */
const PING_TIMEOUT_MS = 60_000;

/**
 * How long a result about missing indexes is reused, milliseconds. Checking takes two commands per
 * collection.
 */
const INDEXES_MS = 5000;

/** Checks that the database responds and has the indexes that the schemas declare. */
@Injectable()
export class DatabaseHealth {
  private indexesFound: { at: number; finding: Promise<HealthFinding> } | undefined;
  private hasAllIndexes = false;

  constructor(
    private readonly database: DatabaseService,
    private readonly indexes: IndexManager,
  ) {}

  checks(): HealthCheck[] {
    const database: HealthCheck = {
      name: 'database',
      kind: 'required',
      run: () => this.ping(),
      alertTitle: 'The database',
    };
    const indexes: HealthCheck = { name: 'indexes', kind: 'required', run: () => this.indexesNow() };
    return [database, indexes].flatMap((check) => [check, { ...check, probe: 'startup' }]);
  }

  private async ping(): Promise<HealthFinding> {
    await this.database.ping(PING_TIMEOUT_MS);
    const { kind, state, pool } = this.database.stats();
    const { open, inUse, waiting, maxSize } = pool;
    return {
      status: 'up',
      details: { kind, state, poolOpen: open, poolInUse: inUse, poolWaiting: waiting, poolMaxSize: maxSize },
    };
  }

  /** Checks at most every few seconds while indexes are missing, and no more once all have been found. */
  private indexesNow(): Promise<HealthFinding> {
    if (this.hasAllIndexes) return Promise.resolve({ status: 'up' });
    const now = performance.now();
    if (!this.indexesFound || now - this.indexesFound.at >= INDEXES_MS) {
      const finding = this.checkIndexes();
      this.indexesFound = { at: now, finding };
      finding.catch(() => (this.indexesFound = undefined));
    }
    return this.indexesFound.finding;
  }

  /**
   * A missing unique index would permit duplicates, so the process is not ready without it. Other missing
   * indexes only make queries slower.
   */
  private async checkIndexes(): Promise<HealthFinding> {
    const missing = await this.indexes.missing();
    this.hasAllIndexes = missing.length === 0;
    if (this.hasAllIndexes) return { status: 'up' };
    return {
      status: missing.some(({ unique }) => unique) ? 'down' : 'degraded',
      reason: `missing: ${missing.map(({ name }) => name).join(', ')}; run "npm run db:indexes"`,
    };
  }
}
