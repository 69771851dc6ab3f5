import { Inject, Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { SchedulerRegistry } from '@nestjs/schedule';
import { LRUCache } from 'lru-cache';
import { SESSION_SETTINGS, type SessionSettings } from '../config/index.js';
import { LOGGER, type Logger } from '../logging/index.js';
import { heapSizeOf } from './heap-size.js';
import { memoryBounds } from './memory-bounds.js';
import type { StoredState } from './session.repository.js';
import { isBehind } from './state-order.js';

/** Injection token of the clock used for idle times: positive milliseconds that never decrease. */
export const SESSION_CLOCK = Symbol('SESSION_CLOCK');

export interface SessionClock {
  now(): number;
}

export interface SessionMemoryStats {
  /** Number of sessions in memory. Expired ones are included until they are accessed or swept. */
  size: number;
  maxSize: number;
  /** Estimated heap size of these sessions. */
  bytes: number;
  maxBytes: number;
  /** Milliseconds since a session was loaded into memory, over sessions that have not expired. */
  averageAgeMs: number;
  oldestAgeMs: number;
  utilizationPercent: number;
  hits: number;
  misses: number;
  /** Sessions evicted to make room for others. */
  evictions: number;
  /** Sessions that expired because they were idle. */
  expirations: number;
}

interface Entry {
  state: StoredState;
  /** When the session was loaded into memory. */
  since: number;
}

const CLEANUP_JOB = 'session-cleanup';

/** The key of a session. Neither part may contain NUL, so different pairs never share a key. */
const keyOf = (tenantId: string, participantId: string): string => `${tenantId}\0${participantId}`;

/**
 * Tier 1 of three: the recently used sessions in the memory of this process. Bounded by number and estimated
 * bytes (`memoryBounds`) with least-recently-used eviction. A session expires SESSION_IDLE_TTL_MS after its
 * last use. Access is O(1); `put` also walks the state to estimate its size. Only committed states may be
 * put. They may become outdated when another process writes, which the compare-and-set of a save detects.
 */
@Injectable()
export class ConversationStateManager implements OnModuleInit, OnModuleDestroy {
  private readonly entries: LRUCache<string, Entry>;
  private hits = 0;
  private misses = 0;
  private evictions = 0;
  private expirations = 0;

  constructor(
    @Inject(SESSION_SETTINGS) private readonly settings: SessionSettings,
    @Inject(LOGGER) private readonly logger: Logger,
    @Inject(SESSION_CLOCK) private readonly clock: SessionClock,
    private readonly scheduler: SchedulerRegistry,
  ) {
    const bounds = memoryBounds(settings);
    this.entries = new LRUCache({
      max: bounds.sessions,
      maxSize: bounds.bytes,
      ttl: settings.SESSION_IDLE_TTL_MS,
      updateAgeOnGet: true,
      // Reads the clock on each access, which costs less than the timer of a coarser resolution.
      ttlResolution: 0,
      perf: clock,
      dispose: (_entry, _key, reason) => {
        if (reason === 'evict') this.evictions++;
        if (reason === 'expire') this.expirations++;
      },
    });
  }

  onModuleInit(): void {
    const timer = setInterval(() => {
      this.sweep();
    }, this.settings.SESSION_CLEANUP_INTERVAL_MS);
    timer.unref();
    this.scheduler.addInterval(CLEANUP_JOB, timer);
  }

  onModuleDestroy(): void {
    if (this.scheduler.doesExist('interval', CLEANUP_JOB)) this.scheduler.deleteInterval(CLEANUP_JOB);
  }

  get(tenantId: string, participantId: string): StoredState | undefined {
    const entry = this.entries.get(keyOf(tenantId, participantId));
    if (entry) this.hits++;
    else this.misses++;
    return entry?.state;
  }

  /** Returns the state without counting as a use. */
  peek(tenantId: string, participantId: string): StoredState | undefined {
    return this.entries.peek(keyOf(tenantId, participantId))?.state;
  }

  /**
   * Stores `state` unless a newer one is present (`isBehind`). A state larger than the entire byte limit is
   * not stored.
   */
  put(state: StoredState): void {
    const key = keyOf(state.tenantId, state.participantId);
    const present = this.entries.peek(key);
    if (present && isBehind(state, present.state)) return;
    const entry = { state, since: present?.since ?? this.clock.now() };
    this.entries.set(key, entry, { size: heapSizeOf(state) });
  }

  drop(tenantId: string, participantId: string): void {
    this.entries.delete(keyOf(tenantId, participantId));
  }

  clear(): void {
    this.entries.clear();
  }

  /** Removes all expired sessions and returns their number. */
  sweep(): number {
    const before = this.expirations;
    this.entries.purgeStale();
    const removed = this.expirations - before;
    this.logger[removed > 0 ? 'info' : 'debug'](
      { removed, size: this.entries.size, maxSize: this.entries.max },
      'session cleanup',
    );
    return removed;
  }

  /** Walks all sessions to compute their ages. Intended for dashboards and probes, not for every request. */
  getStats(): SessionMemoryStats {
    const { size, max: maxSize, calculatedSize: bytes, maxSize: maxBytes } = this.entries;
    const now = this.clock.now();
    let counted = 0;
    let total = 0;
    let oldest = 0;
    // `forEach` skips expired sessions.
    this.entries.forEach(({ since }) => {
      const age = now - since;
      counted++;
      total += age;
      oldest = Math.max(oldest, age);
    });
    return {
      size,
      maxSize,
      bytes,
      maxBytes,
      averageAgeMs: counted === 0 ? 0 : Math.round(total / counted),
      oldestAgeMs: Math.round(oldest),
      utilizationPercent: Math.round((size / maxSize) * 10_000) / 100,
      hits: this.hits,
      misses: this.misses,
      evictions: this.evictions,
      expirations: this.expirations,
    };
  }
}
