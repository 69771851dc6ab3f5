import { Inject, Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { SchedulerRegistry } from '@nestjs/schedule';
import { LRUCache } from 'lru-cache';
import { SESSION_SETTINGS, type SessionSettings } from '../config/index.js';
import { LOGGER, type Logger } from '../logging/index.js';
import { heapSizeOf } from './heap-size.js';
import { memoryBounds } from './memory-bounds.js';
import type { StoredState } from './session.repository.js';
import { isBehind } from './state-order.js';

/** Injection token of the clock of idle times: milliseconds above 0 that never run backwards. */
export const SESSION_CLOCK = Symbol('SESSION_CLOCK');

export interface SessionClock {
  now(): number;
}

export interface SessionMemoryStats {
  /** Sessions in memory; those past their idle time count until they are asked for or swept. */
  size: number;
  maxSize: number;
  /** Estimated heap of these sessions. */
  bytes: number;
  maxBytes: number;
  /** Age is the time since a session came into memory, milliseconds, over those that are not past their idle time. */
  averageAgeMs: number;
  oldestAgeMs: number;
  utilizationPercent: number;
  hits: number;
  misses: number;
  /** Sessions that made room for others. */
  evictions: number;
  /** Sessions that were idle too long. */
  expirations: number;
}

interface Entry {
  state: StoredState;
  /** When the session came into memory. */
  since: number;
}

const CLEANUP_JOB = 'session-cleanup';

/** Tenant and participant in one key; neither may hold NUL, so no two pairs share a key. */
const keyOf = (tenantId: string, participantId: string): string => `${tenantId}\0${participantId}`;

/**
 * The sessions at work in this process, tier 1 of three: bounded by count and by estimated bytes (`memoryBounds`), least recently used
 * out first, each for SESSION_IDLE_TTL_MS after its last use. O(1) per access; a put also walks the state for its size. Only committed states may be put in; they may be old when another
 * process writes, which the compare-and-set of a save finds out.
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
      // Reads the clock at each access, which costs less than the timer that a coarser resolution keeps.
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

  /** Looks without counting as a use. */
  peek(tenantId: string, participantId: string): StoredState | undefined {
    return this.entries.peek(keyOf(tenantId, participantId))?.state;
  }

  /** Keeps `state` unless what is there is ahead of it (`isBehind`). One that is larger than all the room is not kept. */
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

  /** Removes all sessions past their idle time; answers how many. */
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

  /** Walks all sessions for their ages: for dashboards and probes, not for each request. */
  getStats(): SessionMemoryStats {
    const { size, max: maxSize, calculatedSize: bytes, maxSize: maxBytes } = this.entries;
    const now = this.clock.now();
    let counted = 0;
    let total = 0;
    let oldest = 0;
    // Passes over those past their idle time.
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
