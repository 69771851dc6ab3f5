import { pino } from 'pino';
import type { SessionService } from '../../session/index.js';
import { type Counts, type ParticipantData, ParticipantDataRegistry } from './participant-data.js';
import { ParticipantEraser } from './participant-eraser.js';
import type { ParticipantErasureRepository, PendingErasure } from './participant-erasure.repository.js';
import type { ParticipantHashes } from './participant-hashes.js';

const now = new Date('2026-11-21T12:00:00Z');

/** Holds things of participants in memory. */
class Things implements ParticipantData {
  readonly of = new Map<string, number>();
  /** Called before each count. */
  onCount: () => void = () => undefined;

  constructor(readonly name = 'things') {}

  erase(_tenantId: string, participantId: string): Promise<Counts> {
    const count = this.of.get(participantId) ?? 0;
    this.of.delete(participantId);
    return Promise.resolve({ [this.name]: count });
  }

  count(_tenantId: string, participantId: string): Promise<Counts> {
    this.onCount();
    return Promise.resolve({ [this.name]: this.of.get(participantId) ?? 0 });
  }

  async *export(): AsyncIterable<never> {
    // Nothing.
  }

  participantIds(_tenantId: string, after: string, limit: number): Promise<string[]> {
    const ids = [...this.of.keys()].filter((id) => id > after);
    return Promise.resolve(ids.toSorted().slice(0, limit));
  }

  later(): { what: string; until: Date | null }[] {
    return [{ what: 'copies', until: now }];
  }
}

function setUp(pending: PendingErasure[] = []) {
  const calls: string[] = [];
  const registry = new ParticipantDataRegistry();
  const things = new Things();
  registry.contribute(things);
  const erasures = {
    begin: jest.fn(() => Promise.resolve(void calls.push('begin'))),
    end: jest.fn((_tenant: string, hash: string) => Promise.resolve(void calls.push(`end ${hash}`))),
    pending: jest.fn(() => Promise.resolve(pending)),
    of: jest.fn(() => Promise.resolve([{ participantHash: '#t/bob', erasedAt: now }])),
  };
  const sessions = {
    serialize: jest.fn((_tenant: string, _id: string, work: () => Promise<unknown>) => work()),
    reload: jest.fn(() => Promise.resolve(calls.push('reload'))),
  };
  const logger = pino({ level: 'silent' });
  const eraser = new ParticipantEraser(
    registry,
    erasures as unknown as ParticipantErasureRepository,
    {
      of: (tenantId: string, id: string) => Promise.resolve(`#${tenantId}/${id}`),
    } as unknown as ParticipantHashes,
    sessions as unknown as SessionService,
    logger,
  );
  return { eraser, registry, things, erasures, sessions, calls, logger };
}

const row = (participantHash: string, participantId?: string): PendingErasure => ({
  tenantId: 't',
  participantHash,
  erasedAt: now,
  ...(participantId !== undefined && { participantId }),
});

describe('ParticipantEraser', () => {
  beforeEach(() => jest.useFakeTimers({ now }));
  afterEach(() => jest.useRealTimers());

  it('stores the erasure first, and ends it after a count that found nothing', async () => {
    const { eraser, things, erasures, calls, sessions } = setUp();
    things.of.set('ana', 3);
    things.onCount = () => calls.push('count');
    expect(await eraser.erase('t', 'ana')).toEqual({
      participantId: 'ana',
      erasedAt: now,
      removed: { things: 3 },
      remaining: { things: 0 },
      later: [{ what: 'copies', until: now }],
    });
    // Last: the copy of the session that a message may have put into memory is refreshed.
    expect(calls).toEqual(['begin', 'count', 'end #t/ana', 'reload']);
    expect(erasures.end).toHaveBeenCalledWith('t', '#t/ana', now, { things: 3 });
    expect(sessions.serialize).toHaveBeenCalledTimes(1);
  });

  it('erases what arrives meanwhile, from the third pass on without messages in progress', async () => {
    const { eraser, things, sessions } = setUp();
    things.of.set('ana', 1);
    let arriving = 3;
    things.onCount = () => {
      if (arriving-- > 0) things.of.set('ana', 1);
    };
    expect((await eraser.erase('t', 'ana')).removed).toEqual({ things: 4 });
    // Twice for passes, once for the session.
    expect(sessions.serialize).toHaveBeenCalledTimes(3);
  });

  it('stays pending and rejects with 503 if something is found by every count', async () => {
    const { eraser, things, erasures } = setUp();
    things.onCount = () => things.of.set('ana', 1);
    await expect(eraser.erase('t', 'ana')).rejects.toMatchObject({
      problem: { status: 503, code: 'erasure_unfinished' },
    });
    expect(erasures.end).not.toHaveBeenCalled();
  });

  it('rejects a contribution that erases what it does not count', async () => {
    const { eraser, things } = setUp();
    jest.spyOn(things, 'count').mockResolvedValue({});
    await expect(eraser.erase('t', 'ana')).rejects.toThrow('"things" of a participant is erased, but not');
  });

  it('runs once for concurrent requests, and again for later ones', async () => {
    const { eraser, things, erasures } = setUp();
    things.of.set('ana', 3);
    const [first, second] = await Promise.all([eraser.erase('t', 'ana'), eraser.erase('t', 'ana')]);
    expect(second).toBe(first);
    expect((await eraser.erase('t', 'ana')).removed).toEqual({ things: 0 });
    expect(erasures.begin).toHaveBeenCalledTimes(2);
  });

  it('finishes pending erasures in a sweep, also those that have only a hash', async () => {
    const { eraser, registry, things, erasures } = setUp([
      row('#t/ana', 'ana'),
      row('#t/bob'),
      row('#t/eve'),
    ]);
    const others = new Things('others');
    registry.contribute(others);
    for (const id of ['ana', 'cem', 'dan']) things.of.set(id, 1);
    others.of.set('bob', 2);
    expect(await eraser.sweep()).toBe(3);
    expect([...things.of.keys()]).toEqual(['cem', 'dan']);
    expect([...others.of.keys()]).toEqual([]);
    const ended = erasures.end.mock.calls.map(([, hash]) => hash);
    expect([...new Set(ended)].toSorted()).toEqual(['#t/ana', '#t/bob', '#t/eve']);
  });

  it('walks through more participants than are read at once', async () => {
    const { eraser, things } = setUp([row('#t/p1499')]);
    for (let number = 0; number < 1500; number++) things.of.set(`p${number}`.padEnd(5, '0'), 1);
    things.of.set('p1499', 1);
    const before = things.of.size;
    await eraser.sweep();
    expect(things.of.size).toBe(before - 1);
    expect(things.of.has('p1499')).toBe(false);
  });

  it('returns who was erased, and when', async () => {
    const { eraser, erasures } = setUp();
    expect(await eraser.erasedAt('t', ['ana', 'bob'])).toEqual(new Map([['bob', now]]));
    expect(erasures.of).toHaveBeenCalledWith('t', ['#t/ana', '#t/bob']);
  });

  it('goes on with the other erasures if one fails', async () => {
    const { eraser, things, erasures } = setUp([row('#t/ana', 'ana'), row('#t/bob', 'bob')]);
    jest.spyOn(things, 'erase').mockRejectedValueOnce(new Error('no'));
    expect(await eraser.sweep()).toBe(1);
    expect(erasures.end.mock.calls.map(([, hash]) => hash)).toEqual(['#t/bob']);
  });

  it('stops between two contributions at shutdown, and leaves the erasure pending', async () => {
    const { eraser, registry, things, erasures } = setUp();
    const others = new Things('others');
    registry.contribute(others);
    others.of.set('ana', 1);
    jest.spyOn(things, 'erase').mockImplementation(async () => {
      void eraser.beforeApplicationShutdown();
      return Promise.resolve({ things: 0 });
    });
    await expect(eraser.erase('t', 'ana')).rejects.toMatchObject({ problem: { status: 503 } });
    expect(others.of.has('ana')).toBe(true);
    expect(erasures.end).not.toHaveBeenCalled();
  });
});
