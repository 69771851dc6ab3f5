import type { ProcessRegistry } from '../../database/index.js';
import type { ErasedIds, TenantDirectory } from '../../tenant/index.js';
import { ERASED_IDS_KEPT_MS, ErasedIdStore } from './erased-id-store.js';
import type { ErasedIdRepository } from './erased-id.repository.js';
import type { ParticipantHashes } from './participant-hashes.js';

const now = new Date('2026-11-21T12:00:00Z');
const DAY_MS = 86_400_000;

function setUp({ othersAlive = false } = {}) {
  let until: Date | undefined;
  const ids = {
    put: jest.fn<Promise<void>, [string, string[], Date]>(() => Promise.resolve()),
    hasAny: jest.fn(() => Promise.resolve(true)),
  };
  const tenants = {
    find: () => Promise.resolve({ ...(until && { erasedIdsUntil: until }) }),
    keepErasedIds: jest.fn((_tenant: string, date: Date) => {
      until = date;
      return Promise.resolve();
    }),
  };
  const refusal = { use: jest.fn() };
  const store = new ErasedIdStore(
    ids as unknown as ErasedIdRepository,
    {
      ofErasedId: (...parts: string[]) => Promise.resolve(`#${parts.join('/')}`),
    } as unknown as ParticipantHashes,
    tenants as unknown as TenantDirectory,
    { otherServersAlive: () => Promise.resolve(othersAlive) } as unknown as ProcessRegistry,
    refusal as unknown as ErasedIds,
  );
  return { store, ids, tenants, refusal };
}

describe('ErasedIdStore', () => {
  beforeEach(() => jest.useFakeTimers({ now }));
  afterEach(() => jest.useRealTimers());

  it('is the lookup of the refusals', async () => {
    const { store, ids, refusal } = setUp();
    store.onModuleInit();
    expect(refusal.use).toHaveBeenCalledWith(store);
    expect(await store.hasAny('t', 'message', ['a'])).toBe(true);
    expect(ids.hasAny).toHaveBeenCalledWith('t', ['#t/message/a'], now);
  });

  it('stores hashes for 30 days, and marks the tenant at most once a day', async () => {
    const { store, ids, tenants } = setUp();
    const expiresAt = new Date(now.getTime() + ERASED_IDS_KEPT_MS);
    await store.remember('t', 'message', ['a', 'b']);
    expect(ids.put.mock.calls).toEqual([['t', ['#t/message/a', '#t/message/b'], expiresAt]]);
    await store.remember('t', 'transcript', ['c']);
    expect(tenants.keepErasedIds).toHaveBeenCalledTimes(1);
    // The tenant is marked for at least as long as its newest id is kept.
    expect(tenants.keepErasedIds.mock.calls[0]?.[1].getTime()).toBe(expiresAt.getTime() + DAY_MS);
    jest.setSystemTime(now.getTime() + DAY_MS + 1);
    await store.remember('t', 'transcript', ['d']);
    expect(tenants.keepErasedIds).toHaveBeenCalledTimes(2);
  });

  it('does nothing without ids', async () => {
    const { store, ids, tenants } = setUp();
    await store.remember('t', 'message', []);
    expect(ids.put).not.toHaveBeenCalled();
    expect(tenants.keepErasedIds).not.toHaveBeenCalled();
  });

  it('waits until other processes know that the tenant has erased ids, the first time only', async () => {
    const { store } = setUp({ othersAlive: true });
    let isDone = false;
    const remembered = store.remember('t', 'message', ['a']).then(() => (isDone = true));
    // No process uses a tenant that it has read more than a second ago.
    await jest.advanceTimersByTimeAsync(1000);
    expect(isDone).toBe(false);
    await jest.advanceTimersByTimeAsync(500);
    await remembered;
    await store.remember('t', 'message', ['b']);
  });
});
