import { Injectable } from '@nestjs/common';
import { counter, gauge, Monitoring } from '../monitoring/index.js';
import { SessionStore, type SessionStoreStats } from './session-store.js';

/** The `sessions` section of the snapshot. Counters start at 0 when the process starts. */
export interface SessionsSection {
  /** Number of sessions in the memory of this process. */
  held: number;
  max: number;
  memoryBytes: number;
  /** Sessions opened, by the tier in which they were found; `none`: new sessions. */
  opens: { l1: number; l2: number; database: number; none: number };
  /** Writes that were refused because the version had changed. */
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

/** Metrics and snapshot section of sessions. */
@Injectable()
export class SessionMonitoring {
  constructor(monitoring: Monitoring, store: SessionStore) {
    monitoring.contribute<SessionsSection>({
      metrics: [
        counter({
          name: 'colloquy_session_opens_total',
          help: 'Sessions opened, by the tier in which they were found: l1, l2, database; none: a new session',
          labelNames: ['tier'],
          read: (set) => {
            const { l1, l2, database, none } = store.stats().opens;
            for (const [tier, value] of Object.entries({ l1, l2, database, none })) set(value, { tier });
          },
        }),
        counter({
          name: 'colloquy_session_database_operations_total',
          help: 'Reads and writes of sessions in the database; conflict: a write refused because the version had changed',
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
          help: 'Sessions in the memory of this process: held, and max (the limit)',
          labelNames: ['state'],
          read: (set) => {
            const { size, maxSize } = store.stats().l1;
            set(size, { state: 'held' });
            set(maxSize, { state: 'max' });
          },
        }),
        gauge({
          name: 'colloquy_session_memory_bytes',
          help: 'Estimated heap used by these sessions',
          read: (set) => {
            set(store.stats().l1.bytes);
          },
        }),
        counter({
          name: 'colloquy_session_memory_removals_total',
          help: 'Sessions removed from memory, by reason: evicted to make room, or expired',
          labelNames: ['reason'],
          read: (set) => {
            const { evictions, expirations } = store.stats().l1;
            set(evictions, { reason: 'evicted' });
            set(expirations, { reason: 'expired' });
          },
        }),
        counter({
          name: 'colloquy_session_shared_errors_total',
          help: 'Calls to the shared tier (Redis) that failed or timed out',
          read: (set) => {
            set(store.stats().l2.errors);
          },
        }),
      ],
      snapshot: { name: 'sessions', read: () => sectionOf(store.stats()) },
    });
  }
}
