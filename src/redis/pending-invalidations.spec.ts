import { type Invalidation, PendingInvalidations } from './pending-invalidations.js';

const change = (id?: string, tenantId = 'acme'): Invalidation => ({
  tenantId,
  ...(id !== undefined && { id }),
});

const idsOf = (pending: PendingInvalidations<Invalidation>): (string | undefined)[] =>
  pending.first().map(({ id }) => id);

describe('PendingInvalidations', () => {
  const dropped: Invalidation[] = [];
  const create = (
    max: number,
    whole?: (tenantId: string) => Invalidation,
  ): PendingInvalidations<Invalidation> =>
    new PendingInvalidations({ max, whole, onDropped: (one) => dropped.push(one) });

  beforeEach(() => {
    dropped.length = 0;
  });

  it('applies to the entry itself, and to every entry of a tenant that is pending as a whole', () => {
    const pending = create(10);
    pending.add(change('a'));
    expect([pending.has('acme', 'a'), pending.has('acme', 'b'), pending.has('acme')]).toEqual([
      true,
      false,
      false,
    ]);
    pending.add(change());
    expect([pending.has('acme', 'a'), pending.has('acme', 'b'), pending.has('acme')]).toEqual([
      true,
      true,
      true,
    ]);
    expect([pending.has('globex', 'a'), pending.has('globex')]).toEqual([false, false]);
  });

  it('is empty once everything is done', () => {
    const pending = create(10);
    const changes = [change('a'), change('b'), change('a', 'globex'), change(undefined, 'initech')];
    for (const one of changes) pending.add(one);
    expect([pending.size, pending.first(2)]).toEqual([4, changes.slice(0, 2)]);
    for (const one of changes) pending.done(one);
    expect([pending.size, pending.first()]).toEqual([0, []]);
  });

  it.each([['a'], [undefined]])('keeps a later invalidation of %s when an earlier one is done', (id) => {
    const pending = create(10);
    const [early, late] = [change(id), change(id)];
    pending.add(early);
    pending.add(late);
    expect(pending.size).toBe(1);
    pending.done(early);
    expect(pending.has('acme', id)).toBe(true);
    pending.done(late);
    expect(pending.size).toBe(0);
  });

  it('replaces the entries of a tenant with the whole tenant, and keeps later entries', () => {
    const pending = create(10);
    const [before, whole, after] = [change('a'), change(), change('b')];
    pending.add(before);
    pending.add(whole);
    expect(pending.first()).toEqual([whole]);
    pending.add(after);
    // The call for `before` was in progress; its completion does not complete that of the whole tenant.
    pending.done(before);
    pending.done(whole);
    expect(pending.first()).toEqual([after]);
  });

  it('drops the oldest if there are too many', () => {
    const pending = create(3);
    for (const id of ['a', 'b', 'c', 'd']) pending.add(change(id));
    expect(dropped).toEqual([change('a')]);
    // Adding it again makes it the newest.
    pending.add(change('b'));
    pending.add(change('e'));
    expect(dropped.map(({ id }) => id)).toEqual(['a', 'c']);
    expect([pending.size, idsOf(pending)]).toEqual([3, ['d', 'b', 'e']]);
  });

  it('invalidates the whole tenant instead of too many of its entries', () => {
    const pending = create(3, (tenantId) => ({ tenantId }));
    const globex = change('a', 'globex');
    for (const one of [change('a'), change('b'), globex, change('c')]) pending.add(one);
    expect(pending.first()).toEqual([globex, change()]);
    expect(pending.has('acme', 'whichever')).toBe(true);
    expect(dropped).toEqual([]);
  });

  it('is also limited if every tenant is pending as a whole', () => {
    const pending = create(3, (tenantId) => ({ tenantId }));
    for (const tenantId of ['a', 'b', 'c', 'd', 'e']) pending.add(change('x', tenantId));
    expect(pending.size).toBe(3);
    expect(dropped).toHaveLength(2);
  });
});
