import type { Logger } from '../common/index.js';
import { createApiKey, type NewApiKey } from './api-key.js';
import type { ApiKeyRepository } from './api-key.repository.js';
import { KeyVerifier } from './key-verifier.js';
import type { TenantRepository } from './tenant.repository.js';
import type { ApiKey, Tenant } from './tenant.types.js';

const now = new Date('2026-11-21T12:00:00Z');
const acme: Tenant = {
  tenantId: 'acme',
  name: 'Acme',
  plan: 'pro',
  isActive: true,
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
  const clock = { time: 1000, now: (): number => clock.time };
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
    verifier = new KeyVerifier(
      { findForRequest, touch } as unknown as ApiKeyRepository,
      { find: findTenant } as unknown as TenantRepository,
      { warn } as unknown as Logger,
      clock,
    );
  });

  it('finds the tenant of a key', async () => {
    expect(await verifier.verify(key.text)).toEqual({
      outcome: 'valid',
      identity: { tenantId: 'acme', name: 'Acme', plan: 'pro' },
    });
  });

  it('refuses a key of the same id with another secret', async () => {
    const forged = `${key.text.slice(0, -1)}${key.text.endsWith('A') ? 'Q' : 'A'}`;
    expect(await verifier.verify(forged)).toEqual({ outcome: 'unknown' });
    await verifier.verify(key.text);
    expect(await verifier.verify(forged)).toEqual({ outcome: 'unknown' });
  });

  it('refuses unknown keys each time anew, and asks the database for none that cannot be a key', async () => {
    const unknown = createApiKey().text;
    expect(await verifier.verify(unknown)).toEqual({ outcome: 'unknown' });
    expect(await verifier.verify(unknown)).toEqual({ outcome: 'unknown' });
    expect(findForRequest).toHaveBeenCalledTimes(2);
    expect(await verifier.verify('{"$gt":""}')).toEqual({ outcome: 'unknown' });
    expect(findForRequest).toHaveBeenCalledTimes(2);
  });

  it('tells inactive tenants apart', async () => {
    tenant = { ...acme, isActive: false };
    expect(await verifier.verify(key.text)).toMatchObject({ outcome: 'inactive' });
  });

  it('reads nothing for a second after a read, then again', async () => {
    await verifier.verify(key.text);
    clock.time += 999;
    await verifier.verify(key.text);
    expect(findForRequest).toHaveBeenCalledTimes(1);
    clock.time += 2;
    await verifier.verify(key.text);
    expect(findForRequest).toHaveBeenCalledTimes(2);
  });

  it('shares one read among requests at the same time', async () => {
    await Promise.all(Array.from({ length: 20 }, () => verifier.verify(key.text)));
    expect(findForRequest).toHaveBeenCalledTimes(1);
  });

  it('sees a revocation at once after forget()', async () => {
    await verifier.verify(key.text);
    row = row && { ...row, revokedAt: now };
    verifier.forget();
    expect(await verifier.verify(key.text)).toEqual({ outcome: 'unknown' });
  });

  it('does not remember what a read that began before forget() found', async () => {
    let answer!: (found: typeof row) => void;
    findForRequest.mockReturnValueOnce(new Promise((resolve) => (answer = resolve)));
    const early = verifier.verify(key.text);
    const old = row;
    row = row && { ...row, revokedAt: now };
    verifier.forget();
    const late = verifier.verify(key.text);
    answer(old);
    await early;
    expect(await late).toEqual({ outcome: 'unknown' });
    expect(await verifier.verify(key.text)).toEqual({ outcome: 'unknown' });
  });

  it('notes the use of a key at most every ten minutes', async () => {
    await verifier.verify(key.text);
    expect(touch).toHaveBeenCalledTimes(1);
    row = row && { ...row, lastUsedAt: new Date() };
    verifier.forget();
    await verifier.verify(key.text);
    expect(touch).toHaveBeenCalledTimes(1);
  });

  it('accepts a key whose use cannot be noted, and logs it', async () => {
    touch.mockRejectedValue(new Error('read-only'));
    expect(await verifier.verify(key.text)).toMatchObject({ outcome: 'valid' });
    expect(warn).toHaveBeenCalledTimes(1);
  });
});
