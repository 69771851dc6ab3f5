import { ProblemError } from '../../src/common/index.js';
import { hashApiKey } from '../../src/tenant/api-key.js';
import { ApiKeyRepository } from '../../src/tenant/api-key.repository.js';
import { KeyVerifier } from '../../src/tenant/key-verifier.js';
import { TenantRepository } from '../../src/tenant/tenant.repository.js';
import { TenantService } from '../../src/tenant/tenant.service.js';
import { createTestApp, type TestApp } from '../support/app.js';

const body = (id: string): { id: string; name: string; plan: 'free' } => ({
  id,
  name: `Name of ${id}`,
  plan: 'free',
});

describe('tenants in the database', () => {
  let test: TestApp;
  let tenants: TenantService;
  let verifier: KeyVerifier;

  beforeAll(async () => {
    test = await createTestApp();
    tenants = test.app.get(TenantService);
    verifier = test.app.get(KeyVerifier);
  });
  afterAll(() => test.close());

  const countOf = (collection: string, tenantId: string): Promise<number> =>
    test.database.collection(collection).countDocuments({ tenantId });

  it('stores the hash of a key, never the key', async () => {
    const { apiKey } = await tenants.create(body('hashed'));
    const [row] = await test.database.collection('api_keys').find({ tenantId: 'hashed' }).toArray();
    expect(row?.['hash']).toBe(hashApiKey(apiKey));
    expect(JSON.stringify(row)).not.toContain(apiKey);
    expect(JSON.stringify(row)).not.toContain(apiKey.slice(-30));
  });

  it('stores neither tenant nor key when one of the two fails', async () => {
    const failing = jest
      .spyOn(test.app.get(ApiKeyRepository), 'insert')
      .mockRejectedValueOnce(new Error('disk full'));
    await expect(tenants.create(body('half'))).rejects.toThrow('disk full');
    failing.mockRestore();
    expect(await countOf('tenants', 'half')).toBe(0);
    expect(await countOf('api_keys', 'half')).toBe(0);
    expect((await tenants.create(body('half'))).tenant.id).toBe('half');
  });

  it('gives an id to one of many that ask for it at the same time', async () => {
    const outcomes = await Promise.allSettled(
      Array.from({ length: 12 }, () => tenants.create(body('raced'))),
    );
    const refused = outcomes.flatMap((outcome) =>
      outcome.status === 'rejected' ? [outcome.reason as unknown] : [],
    );
    expect(refused).toHaveLength(11);
    for (const error of refused) {
      expect(error).toBeInstanceOf(ProblemError);
      expect(error).toMatchObject({ problem: { status: 409, code: 'tenant_exists' } });
    }
    expect(await countOf('tenants', 'raced')).toBe(1);
    expect(await countOf('api_keys', 'raced')).toBe(1);
  });

  it('notes the first use of a key', async () => {
    const { apiKey } = await tenants.create(body('used'));
    expect((await tenants.listKeys('used', 10)).data[0]?.lastUsedAt).toBeNull();
    const before = Date.now();
    expect(await verifier.verify(apiKey)).toMatchObject({ outcome: 'valid' });
    const lastUsedAt = (await tenants.listKeys('used', 10)).data[0]?.lastUsedAt;
    expect(Date.parse(lastUsedAt ?? '')).toBeGreaterThanOrEqual(before);
  });

  it('keeps the time of the first revocation', async () => {
    await tenants.create(body('revoked'));
    const { key } = await tenants.createKey('revoked');
    await tenants.revokeKey('revoked', key.id);
    const first = await test.database.collection('api_keys').findOne({ keyId: key.id });
    await tenants.revokeKey('revoked', key.id);
    const second = await test.database.collection('api_keys').findOne({ keyId: key.id });
    expect(first?.['revokedAt']).toBeInstanceOf(Date);
    expect(second?.['revokedAt']).toEqual(first?.['revokedAt']);
  });

  it("does not revoke another tenant's key", async () => {
    await tenants.create(body('one'));
    const { apiKey } = await tenants.create(body('two'));
    const { id } = (await tenants.listKeys('two', 1)).data[0] ?? { id: '' };
    await expect(tenants.revokeKey('one', id)).rejects.toMatchObject({
      problem: { code: 'api_key_not_found' },
    });
    expect(await verifier.verify(apiKey)).toMatchObject({ outcome: 'valid' });
  });

  it('pages in order though tenants are made in between and share a moment', async () => {
    const moment = new Date('2020-01-01T00:00:00Z');
    const names = Array.from({ length: 7 }, (_, i) => `page-${i}`);
    for (const tenantId of names)
      await test.app.get(TenantRepository).insert({
        tenantId,
        name: tenantId,
        plan: 'free',
        isActive: true,
        createdAt: moment,
        updatedAt: moment,
      });
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await tenants.list(3, cursor);
      seen.push(...page.data.map(({ id }) => id));
      await tenants.create(body(`between-${seen.length}`));
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen.slice(-7)).toEqual([...names].reverse());
  });

  it('has the indexes that its queries need', async () => {
    const keysOf = async (collection: string): Promise<object[]> =>
      (await test.database.collection(collection).indexes()).map(({ key, unique }) => ({ key, unique }));
    expect(await keysOf('tenants')).toEqual(
      expect.arrayContaining([
        { key: { tenantId: 1 }, unique: true },
        { key: { createdAt: -1, _id: -1 }, unique: undefined },
      ]),
    );
    expect(await keysOf('api_keys')).toEqual(
      expect.arrayContaining([
        { key: { keyId: 1 }, unique: true },
        { key: { tenantId: 1, createdAt: -1, _id: -1 }, unique: undefined },
      ]),
    );
  });
});
