import { Injectable } from '@nestjs/common';
import { METRIC_PREFIX, Metrics, SnapshotSources } from '../monitoring/index.js';
import { SessionStore } from './session-store.js';

const PREFIX = `${METRIC_PREFIX}session_`;

/** Tells Prometheus and snapshots of the tiers of session state. */
@Injectable()
export class SessionMetrics {
  constructor(metrics: Metrics, sources: SnapshotSources, store: SessionStore) {
    sources.register('sessions', () => {
      const { l1, opens, database: writes } = store.stats();
      const { l1: ofMemory, l2: ofRedis, database, none } = opens;
      return {
        held: l1.size,
        max: l1.maxSize,
        memoryBytes: l1.bytes,
        opens: { l1: ofMemory, l2: ofRedis, database, none },
        conflicts: writes.conflicts,
        evictions: l1.evictions,
      };
    });
    metrics.readCounter({
      name: `${PREFIX}opens_total`,
      help: 'Sessions opened, by the tier that had them: l1, l2, database; none: a new session',
      labelNames: ['tier'],
      read: (tell) => {
        const { l1, l2, database, none } = store.stats().opens;
        for (const [tier, value] of Object.entries({ l1, l2, database, none })) tell(value, { tier });
      },
    });
    metrics.readCounter({
      name: `${PREFIX}database_operations_total`,
      help: 'Sessions read and written in the database; conflict: a write that was refused since there was another version',
      labelNames: ['operation'],
      read: (tell) => {
        const { reads, inserts, updates, deletes, conflicts } = store.stats().database;
        const counts = {
          read: reads,
          insert: inserts,
          update: updates,
          delete: deletes,
          conflict: conflicts,
        };
        for (const [operation, value] of Object.entries(counts)) tell(value, { operation });
      },
    });
    metrics.readGauge({
      name: `${PREFIX}memory_sessions`,
      help: 'Sessions in the memory of this process: held, and max (how many there may be)',
      labelNames: ['state'],
      read: (tell) => {
        const { size, maxSize } = store.stats().l1;
        tell(size, { state: 'held' });
        tell(maxSize, { state: 'max' });
      },
    });
    metrics.readGauge({
      name: `${PREFIX}memory_bytes`,
      help: 'Estimated heap of these sessions',
      read: (tell) => {
        tell(store.stats().l1.bytes);
      },
    });
    metrics.readCounter({
      name: `${PREFIX}memory_removals_total`,
      help: 'Sessions that left the memory: evicted for others, or expired',
      labelNames: ['reason'],
      read: (tell) => {
        const { evictions, expirations } = store.stats().l1;
        tell(evictions, { reason: 'evicted' });
        tell(expirations, { reason: 'expired' });
      },
    });
    metrics.readCounter({
      name: `${PREFIX}shared_errors_total`,
      help: 'Calls of the shared tier that failed or took too long',
      read: (tell) => {
        tell(store.stats().l2.errors);
      },
    });
  }
}
