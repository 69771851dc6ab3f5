import { PendingInvalidations } from './pending-invalidations.js';

const textOf = (tenantId: string, id: string): string => [tenantId, 'plan', id].join('\0');

describe('PendingInvalidations', () => {
  it('counts tenants, and forgets one with its last invalidation', () => {
    const pending = new PendingInvalidations();
    expect(pending.size).toBe(0);
    const tag = pending.addScope({ tenantId: 'acme', tag: 'a' });
    const key = pending.addKey('acme', textOf('acme', '1'));
    const other = pending.addKey('other', textOf('other', '1'));
    expect(pending.size).toBe(2);
    pending.doneScope(tag);
    expect(pending.size).toBe(2);
    pending.doneKey(key);
    expect(pending.size).toBe(1);
    pending.doneKey(other);
    expect(pending.size).toBe(0);
    expect(pending.work()).toEqual({ scopes: [], keys: [] });
  });

  it('is not settled by an earlier invalidation of the same that gets through', () => {
    const pending = new PendingInvalidations();
    const text = textOf('acme', '1');
    const scopes = [{ tenantId: 'acme' }, { tenantId: 'acme', tag: 'a' }];
    for (const scope of scopes) {
      const [early, late] = [pending.addScope(scope), pending.addScope(scope)];
      pending.doneScope(early);
      expect(pending.hasScope(scope)).toBe(true);
      pending.doneScope(late);
      expect(pending.hasScope(scope)).toBe(false);
    }
    const [early, late] = [pending.addKey('acme', text), pending.addKey('acme', text)];
    pending.doneKey(early);
    expect(pending.concerns(text, [{ tenantId: 'acme' }])).toBe(true);
    expect(pending.work().keys).toEqual([late]);
    pending.doneKey(late);
    expect(pending.concerns(text, [{ tenantId: 'acme' }])).toBe(false);
  });

  it('concerns the key itself, and what bears a pending tag or belongs to a pending tenant', () => {
    const pending = new PendingInvalidations();
    const [first, second] = [textOf('acme', '1'), textOf('acme', '2')];
    const tagged = [{ tenantId: 'acme' }, { tenantId: 'acme', tag: 'a' }];
    pending.addKey('acme', first);
    expect(pending.concerns(first, [{ tenantId: 'acme' }])).toBe(true);
    expect(pending.concerns(second, tagged)).toBe(false);
    pending.addScope({ tenantId: 'acme', tag: 'a' });
    expect(pending.concerns(second, tagged)).toBe(true);
    expect(pending.concerns(second, [{ tenantId: 'acme' }])).toBe(false);
    pending.addScope({ tenantId: 'acme' });
    expect(pending.concerns(second, [{ tenantId: 'acme' }])).toBe(true);
    expect(pending.concerns(textOf('other', '1'), [{ tenantId: 'other' }])).toBe(false);
  });

  it('remembers the whole tenant instead of more than a thousand tags and keys', () => {
    const pending = new PendingInvalidations();
    const earlier = Array.from({ length: 500 }, (_, i) =>
      pending.addScope({ tenantId: 'acme', tag: String(i) }),
    );
    for (let i = 0; i < 500; i++) pending.addKey('acme', textOf('acme', String(i)));
    expect(pending.work()).toMatchObject({ scopes: { length: 500 }, keys: { length: 500 } });
    pending.addKey('acme', textOf('acme', 'one too many'));
    const { scopes, keys } = pending.work();
    expect(scopes.map(({ scope }) => scope)).toEqual([{ tenantId: 'acme' }]);
    expect(keys).toEqual([]);
    // Those that it stands for were under way: they do not settle it.
    for (const tag of earlier) pending.doneScope(tag);
    expect(pending.hasScope({ tenantId: 'acme' })).toBe(true);
    for (const scope of scopes) pending.doneScope(scope);
    expect(pending.size).toBe(0);
  });

  it('keeps what comes after an invalidation of the whole tenant, which may be under way already', () => {
    const pending = new PendingInvalidations();
    const before = pending.addKey('acme', textOf('acme', '0'));
    const whole = pending.addScope({ tenantId: 'acme' });
    expect(pending.work().keys).toEqual([]);
    const after = pending.addKey('acme', textOf('acme', '1'));
    pending.doneScope(whole);
    pending.doneKey(before);
    expect(pending.work()).toEqual({ scopes: [], keys: [after] });
  });
});
