import { Injectable, type OnModuleInit } from '@nestjs/common';
import { DatabaseService, IndexManager } from '../../../database/index.js';
import type { HealthFinding } from '../health-check.js';
import { HealthRegistry } from '../health-registry.js';

/** Above what CachedCheck waits, which ends the wait first. */
const PING_TIMEOUT_MS = 60_000;

/** How long a finding of missing indexes is used: it takes two commands for each collection. */
const INDEXES_MS = 5000;

/** The database responds, and has the indexes that the schemas declare. */
@Injectable()
export class DatabaseHealth implements OnModuleInit {
  private indexesFound: { at: number; finding: Promise<HealthFinding> } | undefined;
  private hasAllIndexes = false;

  constructor(
    private readonly registry: HealthRegistry,
    private readonly database: DatabaseService,
    private readonly indexes: IndexManager,
  ) {}

  onModuleInit(): void {
    const run = (): Promise<HealthFinding> => this.ping();
    this.registry.register({ name: 'database', kind: 'required', run });
    this.registry.register({ name: 'database', kind: 'required', probe: 'startup', run });
    const look = (): Promise<HealthFinding> => this.indexesNow();
    this.registry.register({ name: 'indexes', kind: 'required', run: look });
    this.registry.register({ name: 'indexes', kind: 'required', probe: 'startup', run: look });
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

  /** Looks at most every few seconds while some are missing, and never again once all were there. */
  private indexesNow(): Promise<HealthFinding> {
    if (this.hasAllIndexes) return Promise.resolve({ status: 'up' });
    const now = performance.now();
    if (!this.indexesFound || now - this.indexesFound.at >= INDEXES_MS) {
      const finding = this.lookAtIndexes();
      this.indexesFound = { at: now, finding };
      finding.catch(() => (this.indexesFound = undefined));
    }
    return this.indexesFound.finding;
  }

  /** A unique index that is missing lets duplicates in, so nothing is served before it exists; another one only costs time. */
  private async lookAtIndexes(): Promise<HealthFinding> {
    const missing = await this.indexes.missing();
    this.hasAllIndexes = missing.length === 0;
    if (this.hasAllIndexes) return { status: 'up' };
    return {
      status: missing.some(({ unique }) => unique) ? 'down' : 'degraded',
      reason: `missing: ${missing.map(({ name }) => name).join(', ')}; run "npm run db:indexes"`,
    };
  }
}
