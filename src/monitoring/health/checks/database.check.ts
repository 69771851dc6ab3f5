import { Injectable, type OnModuleInit } from '@nestjs/common';
import { DatabaseService, IndexManager } from '../../../database/index.js';
import type { HealthFinding } from '../health-check.js';
import { HealthRegistry } from '../health-registry.js';

/** Above what CachedCheck waits: there the wait is ended first, and told in one way. */
const PING_TIMEOUT_MS = 60_000;

/** The database answers; at start also: its indexes are there. */
@Injectable()
export class DatabaseHealth implements OnModuleInit {
  constructor(
    private readonly registry: HealthRegistry,
    private readonly database: DatabaseService,
    private readonly indexes: IndexManager,
  ) {}

  onModuleInit(): void {
    const run = (): Promise<HealthFinding> => this.ping();
    this.registry.register({ name: 'database', kind: 'required', run });
    this.registry.register({ name: 'database', kind: 'required', probe: 'startup', run });
    this.registry.register({
      name: 'indexes',
      kind: 'required',
      probe: 'startup',
      run: () => this.lookAtIndexes(),
    });
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

  /** A unique index that is missing lets duplicates in, so nothing is served before; `npm run db:indexes` is noticed without a restart. */
  private async lookAtIndexes(): Promise<HealthFinding> {
    const missing = await this.indexes.missing();
    if (missing.length === 0) return { status: 'up' };
    return { status: 'down', reason: `missing: ${missing.join(', ')}; run "npm run db:indexes"` };
  }
}
