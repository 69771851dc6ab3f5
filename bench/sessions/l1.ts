import { randomBytes } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Samples } from '../../src/cli/index.js';
import type { ConversationStateManager } from '../../src/session/index.js';

type State = Parameters<ConversationStateManager['put']>[0];

export interface Clock {
  now(): number;
}

export interface Memory {
  /** Number of distinct sessions stored so far. */
  sessions: number;
  /** Number of sessions currently in memory. */
  held: number;
  /** In bytes, after a garbage collection. */
  heapUsed: number;
  rss: number;
}

export interface Access {
  name: string;
  count: number;
  /** Time of one access, as the mean of its batch, in microseconds. */
  batches: Samples;
}

const TENANT = 'bench';
/** Number of accesses timed together, because a single one is near the resolution of the clock. */
const BATCH = 10;
const BATCHES = 50_000;
const SWEEPS = 20;
const RETENTION_MS = 30 * 86_400_000;

const participantOf = (number: number): string => `participant-${number}`;

/** Creates a session as it is after a short dialogue: one goal with some slots, and some context. */
export function sessionState(number: number, version = 1): State {
  const now = new Date();
  return {
    id: number.toString(16).padStart(24, '0'),
    tenantId: TENANT,
    participantId: participantOf(number),
    version,
    activeGoals: [
      {
        id: `goal-${number}`,
        type: 'restaurants/book_table',
        status: 'active',
        slots: { city: 'Lisbon', people: 2, day: '2026-11-21', time: '20:00', name: `Guest ${number}` },
      },
    ],
    context: { locale: 'pt-PT', lastIntent: 'book_table', turns: number % 20, note: `note ${number}` },
    conversationId: randomBytes(12).toString('hex'),
    createdAt: now,
    updatedAt: now,
    expiresAt: new Date(now.getTime() + RETENTION_MS),
  };
}

/** Returns a function that runs a full garbage collection. */
function garbageCollector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}

/** Stores distinct sessions and measures the memory at each mark. Marks must be ascending. */
export function memoryUnderLoad(manager: ConversationStateManager, marks: readonly number[]): Memory[] {
  const collect = garbageCollector();
  let sessions = 0;
  return marks.map((mark) => {
    while (sessions < mark) manager.put(sessionState(sessions++));
    collect();
    const { heapUsed, rss } = process.memoryUsage();
    return { sessions, held: manager.getStats().size, heapUsed, rss };
  });
}

function timeBatches(name: string, access: (batch: number) => () => void): Access {
  const batches = new Samples();
  for (let batch = -BATCHES / 10; batch < BATCHES; batch++) {
    const run = access(batch);
    const begun = performance.now();
    run();
    // The first tenth is the warm-up for the compiler.
    if (batch >= 0) batches.add(((performance.now() - begun) * 1000) / BATCH);
  }
  return { name, count: BATCHES * BATCH, batches };
}

/** Numbers from 0 to `limit` in an order that CPU caches cannot predict, identical in each run. */
const scattered = (index: number, limit: number): number => (Math.imul(index, 2_654_435_761) >>> 0) % limit;

/** Measures gets that hit and miss, puts of new versions, and puts of new sessions that evict others. */
export function accessTimes(manager: ConversationStateManager): {
  times: Access[];
  batch: number;
  hits: number;
  misses: number;
} {
  const held = manager.getStats().maxSize;
  manager.clear();
  for (let number = 0; number < held; number++) manager.put(sessionState(number));
  const before = manager.getStats();
  const getAll = (numbers: readonly number[]) => {
    const participants = numbers.map(participantOf);
    return () => {
      for (const participant of participants) manager.get(TENANT, participant);
    };
  };
  const putAll = (states: readonly State[]) => () => {
    for (const state of states) manager.put(state);
  };
  const batchOf = (batch: number): number[] =>
    Array.from({ length: BATCH }, (_, index) => scattered(batch * BATCH + index, held));
  let version = 1;
  let fresh = held;
  const gets = [
    timeBatches('get, hit', (batch) => getAll(batchOf(batch))),
    timeBatches('get, miss', (batch) => getAll(batchOf(batch).map((number) => -1 - number))),
  ];
  const after = manager.getStats();
  const puts = [
    timeBatches('put, next version', (batch) => {
      version++;
      return putAll(batchOf(batch).map((number) => sessionState(number, version)));
    }),
    timeBatches('put, evicting', () => putAll(Array.from({ length: BATCH }, () => sessionState(++fresh)))),
  ];
  return {
    times: [...gets, ...puts],
    batch: BATCH,
    hits: after.hits - before.hits,
    misses: after.misses - before.misses,
  };
}

/**
 * Measures the cleanup of `size` expired sessions, in milliseconds. `removed` is the number removed by one
 * cleanup.
 */
export function sweepTimes(
  open: (clock: Clock) => ConversationStateManager,
  size: number,
  idleMs: number,
): { times: Samples; removed: number } {
  let now = 1;
  const manager = open({ now: () => now });
  const times = new Samples();
  let removed = 0;
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    for (let number = 0; number < size; number++) manager.put(sessionState(number));
    now += idleMs + 1;
    const begun = performance.now();
    removed = manager.sweep();
    times.add(performance.now() - begun);
  }
  return { times, removed };
}
