import { Injectable } from '@nestjs/common';
import { counter, gauge, Monitoring } from '../monitoring/index.js';
import { SessionStore, type SessionStoreStats } from './session-store.js';

/** Sessions in the snapshot. Counts are since the start. */
export interface SessionsSection {
  /** In the memory of this process. */
  held: number;
  max: number;
  memoryBytes: number;
  /** Sessions opened, by the tier that had them; `none`: new ones. */
  opens: { l1: number; l2: number; database: number; none: number };
  /** Writes that were refused because there was another version. */
  conflicts: number;
  evictions: number;
}

function sectionOf({ l1, opens, database }: SessionStoreStats): SessionsSection {
  const { l1: fromMemory, l2: fromRedis, database: fromDatabase, none } = opens;
  return {
    held: l1.size,
    max: l1.maxSize,
    memoryBytes: l1.bytes,
    opens: { l1: fromMemory, l2: fromRedis, database: fromDatabase, none },
    conflicts: database.conflicts,
    evictions: l1.evictions,
  };
}

/** What this module contributes to monitoring. */
@Injectable()
export class SessionMonitoring {
  constructor(monitoring: Monitoring, store: SessionStore) {
    monitoring.contribute<SessionsSection>({
      metrics: [
        counter({
          name: 'colloquy_session_opens_total',
          help: 'Sessions opened, by the tier that had them: l1, l2, database; none: a new session',
          labelNames: ['tier'],
          read: (set) => {
            const { l1, l2, database, none } = store.stats().opens;
            for (const [tier, value] of Object.entries({ l1, l2, database, none })) set(value, { tier });
          },
        }),
        counter({
          name: 'colloquy_session_database_operations_total',
          help: 'Sessions read and written in the database; conflict: a write that was refused because there was another version',
          labelNames: ['operation'],
          read: (set) => {
            const { reads, inserts, updates, deletes, conflicts } = store.stats().database;
            set(reads, { operation: 'read' });
            set(inserts, { operation: 'insert' });
            set(updates, { operation: 'update' });
            set(deletes, { operation: 'delete' });
            set(conflicts, { operation: 'conflict' });
          },
        }),
        gauge({
          name: 'colloquy_session_memory_sessions',
          help: 'Sessions in the memory of this process: held, and max (how many there may be)',
          labelNames: ['state'],
          read: (set) => {
            const { size, maxSize } = store.stats().l1;
            set(size, { state: 'held' });
            set(maxSize, { state: 'max' });
          },
        }),
        gauge({
          name: 'colloquy_session_memory_bytes',
          help: 'Estimated heap of these sessions',
          read: (set) => {
            set(store.stats().l1.bytes);
          },
        }),
        counter({
          name: 'colloquy_session_memory_removals_total',
          help: 'Sessions that left the memory: evicted for others, or expired',
          labelNames: ['reason'],
          read: (set) => {
            const { evictions, expirations } = store.stats().l1;
            set(evictions, { reason: 'evicted' });
            set(expirations, { reason: 'expired' });
          },
        }),
        counter({
          name: 'colloquy_session_shared_errors_total',
          help: 'Calls of the shared tier that failed or took too long',
          read: (set) => {
            set(store.stats().l2.errors);
          },
        }),
      ],
      snapshot: { name: 'sessions', read: () => sectionOf(store.stats()) },
    });
  }
}
