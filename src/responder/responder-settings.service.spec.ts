import { z } from 'zod';
import { randomBytes } from 'node:crypto';
import { isSealed, SecretBox } from '../common/index.js';
import type { TransactionRunner } from '../database/index.js';
import { ProblemError } from '../http/index.js';
import { GoalResponder } from './goal/goal.responder.js';
import { starterConfig } from './goal/starter-config.js';
import { ResponderRegistry } from './responder-registry.js';
import type { ResponderSettingsRepository } from './responder-settings.repository.js';
import type { ResponderSettingsRecord } from './responder-settings.schema.js';
import { ResponderSettingsService } from './responder-settings.service.js';
import { type Responder, ResponderError } from './responder.js';

const remote: Responder<{ url: string; secret: string }> = {
  type: 'remote',
  configSchema: z.strictObject({ url: z.string(), secret: z.string().min(16) }),
  secretFields: ['secret'],
  respond: () => Promise.resolve({ reply: null }),
};

type Stored = Pick<ResponderSettingsRecord, 'type' | 'config' | 'sealedBy' | 'updatedAt'>;

function setUp(
  responders: readonly Responder[] = [new GoalResponder(), remote],
  keys: readonly Buffer[] = [],
) {
  const rows = new Map<string, Stored>();
  let reads = 0;
  const repository = {
    find: (tenantId: string) => {
      reads++;
      return Promise.resolve(rows.get(tenantId) ?? null);
    },
    put: (tenantId: string, row: Stored) => Promise.resolve(void rows.set(tenantId, row)),
    delete: (tenantId: string) => Promise.resolve(void rows.delete(tenantId)),
  };
  const service = new ResponderSettingsService(
    repository as unknown as ResponderSettingsRepository,
    new ResponderRegistry(responders),
    {
      run: (work: () => Promise<unknown>) => work(),
      afterCommit: (hook: () => void | Promise<void>) => Promise.resolve(hook()),
    } as unknown as TransactionRunner,
    new SecretBox(keys),
  );
  return { service, rows, reads: () => reads };
}

const secret = 'a-secret-of-some-length';

describe('ResponderSettingsService', () => {
  it('defaults to the goal responder with its starter templates', async () => {
    const { service } = setUp();
    expect(await service.read('acme')).toEqual({
      type: 'goals',
      config: starterConfig,
      secretHints: {},
      debounceMs: 0,
      isDefault: true,
      updatedAt: null,
    });
    expect((await service.activeFor('acme')).responder.type).toBe('goals');
  });

  it('reads the settings of a tenant once for many messages', async () => {
    const { service, reads } = setUp();
    await Promise.all([service.activeFor('acme'), service.activeFor('acme')]);
    await service.activeFor('acme');
    expect(reads()).toBe(1);
  });

  it('reads again after a failed read', async () => {
    const { service, rows } = setUp();
    rows.set('acme', { type: 'removed', config: {}, updatedAt: new Date() });
    await expect(service.activeFor('acme')).rejects.toThrow('not installed');
    rows.delete('acme');
    expect((await service.activeFor('acme')).responder.type).toBe('goals');
  });

  it('does not cache the result of a read that was overtaken by a change', async () => {
    const { service } = setUp();
    const before = service.activeFor('acme');
    await service.put('acme', 'remote', { url: 'u', secret });
    expect((await before).responder.type).toBe('goals');
    expect((await service.activeFor('acme')).responder.type).toBe('remote');
  });

  it('applies a change immediately', async () => {
    const { service } = setUp();
    await service.activeFor('acme');
    await service.put('acme', 'remote', { url: 'u', secret });
    expect((await service.activeFor('acme')).responder.type).toBe('remote');
    await service.reset('acme');
    expect((await service.activeFor('acme')).responder.type).toBe('goals');
  });

  it('keeps the settings of tenants separate', async () => {
    const { service } = setUp();
    await service.put('acme', 'remote', { url: 'u', secret });
    expect((await service.read('other')).isDefault).toBe(true);
  });

  it('never returns a secret, only its last characters', async () => {
    const { service } = setUp();
    const shown = await service.put('acme', 'remote', { url: 'u', secret });
    expect(shown).toMatchObject({ config: { url: 'u' }, secretHints: { secret: '…ngth' } });
    expect(JSON.stringify(await service.read('acme'))).not.toContain(secret);
  });

  it('keeps a stored secret that an update omits, if the type is unchanged', async () => {
    const { service, rows } = setUp();
    await service.put('acme', 'remote', { url: 'u', secret });
    await service.put('acme', 'remote', { url: 'v' });
    expect(rows.get('acme')?.config).toEqual({ url: 'v', secret });
    await service.put('acme', 'goals', starterConfig);
    await expect(service.put('acme', 'remote', { url: 'v' })).rejects.toBeInstanceOf(ProblemError);
  });

  describe('with a key for secrets', () => {
    it('stores secrets encrypted, and other settings as they are', async () => {
      const { service, rows } = setUp(undefined, [randomBytes(32)]);
      await service.put('acme', 'remote', { url: 'u', secret });
      const { config, sealedBy } = rows.get('acme') ?? {};
      expect([config?.['url'], isSealed(config?.['secret']), typeof sealedBy]).toEqual(['u', true, 'string']);
      expect((await service.activeFor('acme')).config).toEqual({ url: 'u', secret });
      await service.put('acme', 'goals', starterConfig);
      expect(rows.get('acme')).not.toHaveProperty('sealedBy');
    });

    it('does not decrypt a secret that was copied from another tenant', async () => {
      const { service, rows } = setUp(undefined, [randomBytes(32)]);
      const row = await service.put('acme', 'remote', { url: 'u', secret }).then(() => rows.get('acme'));
      if (row) rows.set('other', row);
      await expect(service.activeFor('other')).rejects.toThrow(/not in SECRETS_KEY/);
    });

    it('explains a missing key: to callers of the responder, and by asking for the secret again', async () => {
      const first = setUp(undefined, [randomBytes(32)]);
      await first.service.put('acme', 'remote', { url: 'u', secret });
      const row = first.rows.get('acme');
      const { service, rows } = setUp(undefined, [randomBytes(32)]);
      if (row) rows.set('acme', row);
      await expect(service.activeFor('acme')).rejects.toThrow(ResponderError);
      expect(await service.read('acme')).toMatchObject({
        config: { url: 'u' },
        secretHints: { secret: '…' },
      });
      await expect(service.put('acme', 'remote', { url: 'v' })).rejects.toMatchObject({
        problem: { status: 400, extra: { errors: [{ path: 'config.secret' }] } },
      });
      await service.put('acme', 'remote', { url: 'v', secret });
      expect((await service.activeFor('acme')).config).toEqual({ url: 'v', secret });
    });
  });

  it('reports the fields that the responder rejects', async () => {
    const { service } = setUp();
    await expect(service.put('acme', 'remote', { url: 'u', secret: 'short' })).rejects.toMatchObject({
      problem: { status: 400, extra: { errors: [{ path: 'config.secret' }] } },
    });
    await expect(service.put('acme', 'unknown', {})).rejects.toMatchObject({
      problem: {
        status: 400,
        extra: { errors: [{ path: 'type', message: 'must be one of goals, remote' }] },
      },
    });
  });

  it('fails with a reason if the stored responder is not installed or rejects its settings', async () => {
    const { service, rows } = setUp();
    rows.set('acme', { type: 'removed', config: {}, updatedAt: new Date() });
    rows.set('other', { type: 'remote', config: { url: 1 }, updatedAt: new Date() });
    await expect(service.activeFor('acme')).rejects.toThrow(
      'The responder "removed" of this tenant is not installed.',
    );
    await expect(service.activeFor('other')).rejects.toThrow('no longer accepts its stored settings');
  });

  it('does not start with two responders of one type', () => {
    expect(() => new ResponderRegistry([remote, remote])).toThrow('two responders of type "remote"');
  });
});
