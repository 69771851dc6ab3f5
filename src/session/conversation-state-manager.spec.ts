import { SchedulerRegistry } from '@nestjs/schedule';
import type { SessionSettings } from '../config/index.js';
import type { Logger } from '../logging/index.js';
import { ConversationStateManager } from './conversation-state-manager.js';
import { freshState } from './session-changes.js';
import type { StoredState } from './session.repository.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const settings: SessionSettings = {
  SESSION_MEMORY_PROFILE: 'default',
  MAX_ACTIVE_SESSIONS: undefined,
  SESSION_MEMORY_BYTES: undefined,
  SESSION_IDLE_TTL_MS: HOUR,
  SESSION_CLEANUP_INTERVAL_MS: MINUTE,
  SESSION_TTL_HOURS: 2,
  SESSION_RETENTION_DAYS: 30,
};

const state = (participantId: string, version = 1, id = participantId, tenantId = 'acme'): StoredState => ({
  ...freshState(tenantId, participantId, new Date(0), HOUR),
  id,
  version,
});

describe('ConversationStateManager', () => {
  const clock = { time: 1, now: (): number => clock.time };
  const logger = { info: jest.fn(), debug: jest.fn() };
  let registry: SchedulerRegistry;
  let memory: ConversationStateManager;

  const create = (changes: Partial<SessionSettings> = {}): ConversationStateManager =>
    new ConversationStateManager({ ...settings, ...changes }, logger as unknown as Logger, clock, registry);

  beforeEach(() => {
    jest.clearAllMocks();
    clock.time = 1;
    registry = new SchedulerRegistry();
    memory = create();
  });

  it('keeps 1,000 of 2,000 sessions and evicts the least recently used', () => {
    for (let i = 0; i < 2000; i++) memory.put(state(`p${i}`));
    expect(memory.getStats()).toMatchObject({
      size: 1000,
      maxSize: 1000,
      utilizationPercent: 100,
      evictions: 1000,
      expirations: 0,
    });
    expect(memory.get('acme', 'p999')).toBeUndefined();
    expect(memory.get('acme', 'p1000')?.participantId).toBe('p1000');
    expect(memory.get('acme', 'p1999')?.participantId).toBe('p1999');
  });

  it('evicts by last use, not by age', () => {
    memory = create({ MAX_ACTIVE_SESSIONS: 3 });
    for (const name of ['a', 'b', 'c']) memory.put(state(name));
    memory.get('acme', 'a');
    memory.put(state('b', 2));
    memory.put(state('d'));
    memory.put(state('e'));
    const present = ['a', 'b', 'c', 'd', 'e'].filter((name) => memory.get('acme', name) !== undefined);
    expect(present).toEqual(['b', 'd', 'e']);
  });

  it('expires a session after its idle time, which each use restarts', () => {
    memory.put(state('used'));
    memory.put(state('idle'));
    clock.time += HOUR - 1;
    expect(memory.get('acme', 'used')).toBeDefined();
    clock.time += 2;
    expect(memory.get('acme', 'idle')).toBeUndefined();
    expect(memory.get('acme', 'used')).toBeDefined();
    expect(memory.getStats()).toMatchObject({ size: 1, expirations: 1, evictions: 0 });
  });

  it('sweeps all idle sessions with one log line, at debug level if there were none', () => {
    for (let i = 0; i < 50; i++) memory.put(state(`p${i}`));
    expect(memory.sweep()).toBe(0);
    expect(logger.debug).toHaveBeenCalledTimes(1);
    expect(logger.info).not.toHaveBeenCalled();
    clock.time += HOUR + 1;
    memory.put(state('new'));
    expect(memory.sweep()).toBe(50);
    expect(logger.info).toHaveBeenCalledTimes(1);
    expect(logger.info).toHaveBeenCalledWith({ removed: 50, size: 1, maxSize: 1000 }, 'session cleanup');
    expect(logger.debug).toHaveBeenCalledTimes(1);
    expect(memory.getStats()).toMatchObject({ size: 1, expirations: 50 });
  });

  it('sweeps every SESSION_CLEANUP_INTERVAL_MS until the module is destroyed', () => {
    jest.useFakeTimers();
    try {
      memory = create({ SESSION_CLEANUP_INTERVAL_MS: 5000 });
      memory.onModuleInit();
      expect(registry.getIntervals()).toEqual(['session-cleanup']);
      jest.advanceTimersByTime(15_000);
      expect(logger.debug).toHaveBeenCalledTimes(3);
      memory.onModuleDestroy();
      memory.onModuleDestroy();
      jest.advanceTimersByTime(15_000);
      expect(logger.debug).toHaveBeenCalledTimes(3);
      expect(jest.getTimerCount()).toBe(0);
    } finally {
      jest.useRealTimers();
    }
  });

  it('counts hits and misses, and measures age from when a session was loaded', () => {
    memory.put(state('a'));
    clock.time += 1000;
    memory.put(state('b'));
    clock.time += 2000;
    memory.put(state('a', 2));
    memory.get('acme', 'a');
    memory.get('acme', 'nobody');
    memory.get('acme', 'b');
    expect(memory.getStats()).toEqual({
      size: 2,
      maxSize: 1000,
      bytes: expect.any(Number) as unknown,
      maxBytes: 64 * 2 ** 20,
      averageAgeMs: 2500,
      oldestAgeMs: 3000,
      utilizationPercent: 0.2,
      hits: 2,
      misses: 1,
      evictions: 0,
      expirations: 0,
    });
  });

  it('reports ages of 0 if it is empty', () => {
    expect(memory.getStats()).toMatchObject({
      size: 0,
      averageAgeMs: 0,
      oldestAgeMs: 0,
      utilizationPercent: 0,
    });
  });

  it('keeps tenants separate', () => {
    memory.put(state('ann', 1, 'one', 'acme'));
    memory.put(state('ann', 5, 'two', 'globex'));
    expect(memory.get('acme', 'ann')?.id).toBe('one');
    expect(memory.get('globex', 'ann')?.id).toBe('two');
    memory.drop('acme', 'ann');
    expect(memory.get('acme', 'ann')).toBeUndefined();
    expect(memory.get('globex', 'ann')?.id).toBe('two');
  });

  it('never shares a key between pairs whose names concatenate to the same text', () => {
    memory.put(state('c', 1, 'one', 'a:b'));
    expect(memory.get('a', 'b:c')).toBeUndefined();
    memory.put(state('@x', 1, 'two', 'a.'));
    expect(memory.get('a', '.@x')).toBeUndefined();
  });

  it('does not replace a newer version of the same session, but replaces a deleted session with a new one', () => {
    memory.put(state('ann', 7, 'first'));
    memory.put(state('ann', 6, 'first'));
    expect(memory.get('acme', 'ann')?.version).toBe(7);
    memory.put(state('ann', 1, 'second'));
    expect(memory.get('acme', 'ann')).toMatchObject({ id: 'second', version: 1 });
  });

  it('keeps no more bytes than its limit, however few sessions that are', () => {
    memory = create({ SESSION_MEMORY_BYTES: 2 ** 20 });
    const large = (name: string): StoredState => ({ ...state(name), context: { text: 'x'.repeat(200_000) } });
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f', 'g']) memory.put(large(name));
    const { size, bytes, maxBytes, evictions } = memory.getStats();
    expect([size, evictions, maxBytes]).toEqual([5, 2, 2 ** 20]);
    expect(bytes).toBeGreaterThan(1_000_000);
    expect(bytes).toBeLessThanOrEqual(maxBytes);
    expect(memory.get('acme', 'b')).toBeUndefined();
    expect(memory.get('acme', 'c')).toBeDefined();
  });

  it('does not keep a session larger than the byte limit, nor its previous version', () => {
    memory = create({ SESSION_MEMORY_BYTES: 2 ** 20 });
    memory.put(state('other'));
    memory.put(state('ann'));
    memory.put({ ...state('ann', 2), context: { text: 'x'.repeat(2 ** 20) } });
    expect(memory.get('acme', 'ann')).toBeUndefined();
    expect(memory.get('acme', 'other')).toBeDefined();
  });

  it('removes everything on clear()', () => {
    memory.put(state('ann'));
    memory.clear();
    expect(memory.getStats()).toMatchObject({ size: 0, evictions: 0, expirations: 0 });
  });
});
