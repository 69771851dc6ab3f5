import { FakeCache } from '../../test/support/fake-cache.js';
import type { CacheService } from '../cache/index.js';
import type { Logger } from '../logging/index.js';
import { createApiKey, hashApiKey, type NewApiKey } from './api-key.js';
import type { ApiKeyRepository } from './api-key.repository.js';
import { KeyVerifier, LAST_USED_RESOLUTION_MS } from './key-verifier.js';
import { TenantDirectory } from './tenant-directory.js';
import type { TenantRepository } from './tenant.repository.js';
import { allFeatures, type ApiKey, type Tenant } from './tenant.types.js';

const now = new Date('2026-11-21T12:00:00Z');
const acme: Tenant = {
  tenantId: 'acme',
  name: 'Acme',
  plan: 'pro',
  isActive: true,
  features: { ...allFeatures, transcripts: false },
  createdAt: now,
  updatedAt: now,
};

describe('KeyVerifier', () => {
  let key: NewApiKey;
  let row: (ApiKey & { hash: string }) | null;
  let tenant: Tenant | null;
  const findForRequest = jest.fn();
  const touch = jest.fn();
  const findTenant = jest.fn();
  const warn = jest.fn();
  const clock = { time: 1000 };
  let cache: FakeCache;
  let directory: TenantDirectory;
  let verifier: KeyVerifier;

  beforeEach(() => {
    jest.resetAllMocks();
    clock.time = 1000;
    key = createApiKey();
    row = { ...key, tenantId: 'acme', createdAt: now, revokedAt: null, lastUsedAt: null };
    tenant = acme;
    findForRequest.mockImplementation((keyId: string) => Promise.resolve(keyId === key.keyId ? row : null));
    findTenant.mockImplementation(() => Promise.resolve(tenant));
    touch.mockResolvedValue(undefined);
    cache = new FakeCache(clock);
    const cacheService = cache as unknown as CacheService;
    directory = new TenantDirectory(
      { findForRequest: findTenant } as unknown as TenantRepository,
      cacheService,
    );
    verifier = new KeyVerifier(
      { findForRequest, touch } as unknown as ApiKeyRepository,
      directory,
      cacheService,
      { warn } as unknown as Logger,
    );
  });

  it('finds the tenant of a key', async () => {
    expect(await verifier.verify(key.text)).toEqual({
      outcome: 'valid',
      identity: { tenantId: 'acme', name: 'Acme', plan: 'pro', features: acme.features },
    });
  });

  it('rejects a key with the right id but another secret', async () => {
    const forged = `${key.text.slice(0, -1)}${key.text.endsWith('A') ? 'Q' : 'A'}`;
    expect(await verifier.verify(forged)).toEqual({ outcome: 'unknown' });
    await verifier.verify(key.text);
    expect(await verifier.verify(forged)).toEqual({ outcome: 'unknown' });
  });

  it('rejects unknown keys every time, and does not query the database for malformed ones', async () => {
    const unknown = createApiKey().text;
    expect(await verifier.verify(unknown)).toEqual({ outcome: 'unknown' });
    expect(await verifier.verify(unknown)).toEqual({ outcome: 'unknown' });
    expect(findForRequest).toHaveBeenCalledTimes(2);
    expect(cache.size).toBe(0);
    expect(await verifier.verify('{"$gt":""}')).toEqual({ outcome: 'unknown' });
    expect(findForRequest).toHaveBeenCalledTimes(2);
  });

  it('distinguishes inactive tenants', async () => {
    tenant = { ...acme, isActive: false };
    expect(await verifier.verify(key.text)).toMatchObject({ outcome: 'inactive' });
  });

  it('reads again only after a second', async () => {
    await verifier.verify(key.text);
    clock.time += 999;
    await verifier.verify(key.text);
    expect([findForRequest.mock.calls, findTenant.mock.calls]).toEqual([[[key.keyId]], [['acme']]]);
    clock.time += 2;
    await verifier.verify(key.text);
    expect(findForRequest).toHaveBeenCalledTimes(2);
  });

  it('shares one read of key and tenant among 100 concurrent requests', async () => {
    const verdicts = await Promise.all(Array.from({ length: 100 }, () => verifier.verify(key.text)));
    expect(new Set(verdicts.map(({ outcome }) => outcome))).toEqual(new Set(['valid']));
    expect(findForRequest).toHaveBeenCalledTimes(1);
    expect(findTenant).toHaveBeenCalledTimes(1);
  });

  it('reads the shared tenant of two keys once', async () => {
    const other = createApiKey();
    const otherRow = { ...other, tenantId: 'acme', createdAt: now, revokedAt: null, lastUsedAt: null };
    await verifier.verify(key.text);
    findForRequest.mockResolvedValueOnce(otherRow);
    expect(await verifier.verify(other.text)).toMatchObject({ outcome: 'valid' });
    expect(findTenant).toHaveBeenCalledTimes(1);
  });

  it('sees a revocation immediately after forget()', async () => {
    await verifier.verify(key.text);
    row = row && { ...row, revokedAt: now };
    await verifier.forget();
    expect(await verifier.verify(key.text)).toEqual({ outcome: 'unknown' });
  });

  it('sees revocations and changes by other processes within a second, without being notified', async () => {
    await verifier.verify(key.text);
    tenant = { ...acme, plan: 'free' };
    clock.time += 1000;
    expect(await verifier.verify(key.text)).toMatchObject({ identity: { plan: 'free' } });
    row = row && { ...row, revokedAt: now };
    clock.time += 1000;
    expect(await verifier.verify(key.text)).toEqual({ outcome: 'unknown' });
  });

  it('caches that a key is revoked, so that its requests cost no read', async () => {
    row = row && { ...row, revokedAt: now };
    for (let i = 0; i < 3; i++) expect(await verifier.verify(key.text)).toEqual({ outcome: 'unknown' });
    expect(findForRequest).toHaveBeenCalledTimes(1);
    expect(touch).not.toHaveBeenCalled();
  });

  it('does not cache the result of a read that began before forget()', async () => {
    let answer!: (found: typeof row) => void;
    findForRequest.mockReturnValueOnce(new Promise((resolve) => (answer = resolve)));
    const early = verifier.verify(key.text);
    const old = row;
    row = row && { ...row, revokedAt: now };
    await verifier.forget();
    const late = verifier.verify(key.text);
    answer(old);
    await early;
    expect(await late).toEqual({ outcome: 'unknown' });
    expect(await verifier.verify(key.text)).toEqual({ outcome: 'unknown' });
  });

  it('rejects a key whose tenant no longer exists', async () => {
    tenant = null;
    expect(await verifier.verify(key.text)).toEqual({ outcome: 'unknown' });
  });

  it('records the use of a key at most every ten minutes', async () => {
    await verifier.verify(key.text);
    expect(touch).toHaveBeenCalledTimes(1);
    row = row && { ...row, lastUsedAt: new Date() };
    await verifier.forget();
    await verifier.verify(key.text);
    expect(touch).toHaveBeenCalledTimes(1);
    row = row && { ...row, lastUsedAt: new Date(Date.now() - LAST_USED_RESOLUTION_MS) };
    await verifier.forget();
    await verifier.verify(key.text);
    expect(touch).toHaveBeenCalledTimes(2);
  });

  it('does not record a use for a wrong secret', async () => {
    const forged = `${key.text.slice(0, -1)}${key.text.endsWith('A') ? 'Q' : 'A'}`;
    await verifier.verify(forged);
    expect(touch).not.toHaveBeenCalled();
  });

  it('accepts a key whose use cannot be recorded, and logs the error', async () => {
    touch.mockRejectedValue(new Error('read-only'));
    expect(await verifier.verify(key.text)).toMatchObject({ outcome: 'valid' });
    expect(warn).toHaveBeenCalledTimes(1);
  });

  describe('remembered()', () => {
    const remembered = (): unknown => verifier.remembered(hashApiKey(key.text));

    it('returns the verdict on a verified key, without a promise or a read', async () => {
      expect(remembered()).toBeUndefined();
      const verdict = await verifier.verify(key.text);
      expect(remembered()).toBe(verdict);
      expect(findForRequest).toHaveBeenCalledTimes(1);
    });

    it('is valid for a second, so that a revocation takes effect by then without a notification', async () => {
      await verifier.verify(key.text);
      row = row && { ...row, revokedAt: now };
      clock.time += 999;
      expect(remembered()).toMatchObject({ outcome: 'valid' });
      clock.time += 1;
      expect(remembered()).toBeUndefined();
      expect(await verifier.verify(key.text)).toEqual({ outcome: 'unknown' });
      expect(remembered()).toBeUndefined();
    });

    it('is dropped immediately when the key or its tenant is invalidated, here or by another process', async () => {
      await verifier.verify(key.text);
      await verifier.forget();
      expect(remembered()).toBeUndefined();
      await verifier.verify(key.text);
      tenant = { ...acme, isActive: false, plan: 'free' };
      await directory.forget('acme');
      expect(remembered()).toBeUndefined();
      expect(await verifier.verify(key.text)).toMatchObject({ outcome: 'inactive' });
      expect(remembered()).toMatchObject({ outcome: 'inactive', identity: { plan: 'free' } });
    });

    it('is not used when the tenant has been read again since', async () => {
      await verifier.verify(key.text);
      tenant = { ...acme, plan: 'free' };
      await directory.forget('acme');
      await directory.find('acme');
      expect(remembered()).toBeUndefined();
      expect(await verifier.verify(key.text)).toMatchObject({ identity: { plan: 'free' } });
    });

    it('does not cache guessed keys, wrong secrets, or revoked keys', async () => {
      const forged = `${key.text.slice(0, -1)}${key.text.endsWith('A') ? 'Q' : 'A'}`;
      for (const text of [forged, createApiKey().text, 'nonsense']) {
        await verifier.verify(text);
        expect(verifier.remembered(hashApiKey(text))).toBeUndefined();
      }
      row = row && { ...row, revokedAt: now };
      await verifier.forget();
      await verifier.verify(key.text);
      expect(remembered()).toBeUndefined();
    });
  });
});
