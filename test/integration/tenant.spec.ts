import { TransactionRunner } from '../../src/database/index.js';
import { ProblemError } from '../../src/http/index.js';
import { hashApiKey } from '../../src/tenant/api-key.js';
import { ApiKeyRepository } from '../../src/tenant/api-key.repository.js';
import { KeyVerifier } from '../../src/tenant/key-verifier.js';
import { TenantDirectory } from '../../src/tenant/tenant-directory.js';
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
  let transactions: TransactionRunner;

  beforeAll(async () => {
    test = await createTestApp();
    tenants = test.app.get(TenantService);
    verifier = test.app.get(KeyVerifier);
    transactions = test.app.get(TransactionRunner);
  });
  afterAll(() => test.close());
  afterEach(() => jest.restoreAllMocks());

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
    expect(await test.request('POST', '/v1/tenants', body('half'))).toMatchObject({ status: 500 });
    failing.mockRestore();
    expect(await countOf('tenants', 'half')).toBe(0);
    expect(await countOf('api_keys', 'half')).toBe(0);
    expect((await tenants.create(body('half'))).tenant.id).toBe('half');
  });

  it('creates one tenant when many requests use the same id concurrently', async () => {
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

  it('records the first use of a key', async () => {
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

  it('pages in order even if tenants are created meanwhile with the same timestamp', async () => {
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

  it('applies a revocation and a change immediately in this process', async () => {
    const { apiKey } = await tenants.create(body('quick'));
    const { key, apiKey: second } = await tenants.createKey('quick');
    for (const text of [apiKey, second])
      expect(await verifier.verify(text)).toMatchObject({ outcome: 'valid', identity: { plan: 'free' } });
    await tenants.revokeKey('quick', key.id);
    expect(await verifier.verify(second)).toEqual({ outcome: 'unknown' });
    await tenants.update('quick', { plan: 'pro', features: { responder: false } });
    expect(await verifier.verify(apiKey)).toMatchObject({
      identity: { plan: 'pro', features: { responder: false, sharedState: true, transcripts: true } },
    });
    await tenants.update('quick', { isActive: false });
    expect(await verifier.verify(apiKey)).toMatchObject({ outcome: 'inactive' });
  });

  it('keeps the cached key and tenant when the change was rolled back', async () => {
    const { apiKey } = await tenants.create(body('rolled'));
    const { id } = (await tenants.listKeys('rolled', 1)).data[0] ?? { id: '' };
    const rolledBack = transactions.run(async () => {
      await tenants.update('rolled', { plan: 'pro', features: { responder: false } });
      await tenants.revokeKey('rolled', id);
      // A read inside the transaction that is cached for all callers must return the committed state.
      expect(await verifier.verify(apiKey)).toMatchObject({ outcome: 'valid', identity: { plan: 'free' } });
      throw new Error('rolled back');
    });
    await expect(rolledBack).rejects.toThrow('rolled back');
    expect(await verifier.verify(apiKey)).toMatchObject({
      outcome: 'valid',
      identity: { plan: 'free', features: { responder: true } },
    });
  });

  it('reads the key and tenant once for 100 concurrent requests', async () => {
    const { apiKey } = await tenants.create(body('busy'));
    const findKey = jest.spyOn(test.app.get(ApiKeyRepository), 'findForRequest');
    const findTenant = jest.spyOn(test.app.get(TenantRepository), 'findForRequest');
    const verdicts = await Promise.all(Array.from({ length: 100 }, () => verifier.verify(apiKey)));
    expect(verdicts.every(({ outcome }) => outcome === 'valid')).toBe(true);
    expect([findKey.mock.calls.length, findTenant.mock.calls.length]).toEqual([1, 1]);
  });

  it('does not restore a key by a read that started before its revocation', async () => {
    const { apiKey } = await tenants.create(body('late'));
    const { id } = (await tenants.listKeys('late', 1)).data[0] ?? { id: '' };
    const repository = test.app.get(ApiKeyRepository);
    const old = await repository.findForRequest(id);
    let answer!: (row: typeof old) => void;
    const asked = new Promise<void>((resolve) => {
      jest.spyOn(repository, 'findForRequest').mockImplementationOnce(() => {
        resolve();
        return new Promise((found) => (answer = found));
      });
    });
    const early = verifier.verify(apiKey);
    await asked;
    await tenants.revokeKey('late', id);
    const during = verifier.verify(apiKey);
    answer(old);
    await early;
    expect(await during).toEqual({ outcome: 'unknown' });
    expect(await verifier.verify(apiKey)).toEqual({ outcome: 'unknown' });
  });

  it('enables all features for a tenant whose row lists none', async () => {
    await tenants.create(body('old'));
    const [row] = await test.database.collection('tenants').find({ tenantId: 'old' }).toArray();
    expect(row).not.toHaveProperty('features');
    const all = { responder: true, sharedState: true, transcripts: true };
    expect((await tenants.get('old')).features).toEqual(all);
    expect(await test.app.get(TenantDirectory).features('old')).toEqual(all);
  });

  it('keeps the features that two operators change concurrently', async () => {
    await tenants.create(body('both'));
    await Promise.all([
      tenants.update('both', { features: { responder: false } }),
      tenants.update('both', { features: { transcripts: false } }),
    ]);
    expect(await test.app.get(TenantDirectory).features('both')).toEqual({
      responder: false,
      sharedState: true,
      transcripts: false,
    });
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
