import { FakeCache } from '../../test/support/fake-cache.js';
import type { CacheService } from '../cache/index.js';
import { TenantDirectory } from './tenant-directory.js';
import { tenantOf, type TenantRepository, type TenantRow } from './tenant.repository.js';
import type { TenantFeatures } from './tenant.types.js';

const moment = new Date('2026-11-21T12:00:00Z');
const all = { responder: true, sharedState: true, transcripts: true };

describe('TenantDirectory', () => {
  let rows: Record<string, TenantRow>;
  const clock = { time: 0 };
  const findForRequest = jest.fn();
  let directory: TenantDirectory;

  const store = (tenantId: string, features?: Partial<TenantFeatures>): void => {
    rows[tenantId] = {
      tenantId,
      name: tenantId,
      plan: 'free',
      isActive: true,
      ...(features && { features }),
      createdAt: moment,
      updatedAt: moment,
    };
  };

  beforeEach(() => {
    rows = {};
    findForRequest.mockReset();
    findForRequest.mockImplementation((tenantId: string) =>
      Promise.resolve(rows[tenantId] ? tenantOf(rows[tenantId]) : null),
    );
    directory = new TenantDirectory(
      { findForRequest } as unknown as TenantRepository,
      new FakeCache(clock) as unknown as CacheService,
    );
  });

  it.each<[string, Partial<TenantFeatures> | undefined, TenantFeatures]>([
    ['a row stored before features existed', undefined, all],
    ['a row with no features', {}, all],
    ['a row with one feature', { sharedState: false }, { ...all, sharedState: false }],
    [
      'a row with all features',
      { responder: false, sharedState: false, transcripts: false },
      { responder: false, sharedState: false, transcripts: false },
    ],
  ])('treats features missing in %s as on', async (_name, stored, expected) => {
    store('acme', stored);
    expect(await directory.features('acme')).toEqual(expected);
  });

  it('returns all features as on for an unknown tenant, and does not cache that', async () => {
    expect(await directory.features('nobody')).toEqual(all);
    store('nobody', { responder: false });
    expect(await directory.features('nobody')).toEqual({ ...all, responder: false });
  });

  it('reads a tenant once for many concurrent requests, and not again for a second', async () => {
    store('acme');
    await Promise.all(Array.from({ length: 100 }, () => directory.features('acme')));
    await directory.find('acme');
    expect(findForRequest).toHaveBeenCalledTimes(1);
    clock.time += 1000;
    await directory.find('acme');
    expect(findForRequest).toHaveBeenCalledTimes(2);
  });

  it('forgets one tenant and keeps the others', async () => {
    store('acme');
    store('hooli');
    await directory.features('acme');
    await directory.features('hooli');
    store('acme', { transcripts: false });
    await directory.forget('acme');
    expect(await directory.features('acme')).toEqual({ ...all, transcripts: false });
    await directory.features('hooli');
    expect(findForRequest.mock.calls).toEqual([['acme'], ['hooli'], ['acme']]);
  });

  it('caches only the fields of a tenant that requests need', async () => {
    store('acme');
    expect(await directory.find('acme')).toEqual({
      tenantId: 'acme',
      name: 'acme',
      plan: 'free',
      isActive: true,
      features: all,
    });
  });
});
