import { type PendingDeletion, PendingDeletions } from './pending-deletions.js';

const deletion = (participantId: string, id = participantId): PendingDeletion => ({
  tenantId: 'acme',
  participantId,
  id,
  createdAt: new Date(0),
});

describe('PendingDeletions', () => {
  const dropped: string[] = [];
  let pending: PendingDeletions;

  beforeEach(() => {
    dropped.length = 0;
    pending = new PendingDeletions(3, ({ id }) => dropped.push(id));
  });

  it('keeps the newest of too many and tells which were dropped', () => {
    for (const name of ['a', 'b', 'c', 'd', 'e']) pending.add(deletion(name));
    expect(pending.size).toBe(3);
    expect(dropped).toEqual(['a', 'b']);
    expect(pending.first(2).map(({ id }) => id)).toEqual(['c', 'd']);
    expect([pending.has('acme', 'a'), pending.has('acme', 'e'), pending.has('globex', 'e')]).toEqual([
      false,
      true,
      false,
    ]);
  });

  it('keeps one of a participant, the latest, as the youngest', () => {
    for (const name of ['a', 'b', 'c']) pending.add(deletion(name));
    pending.add(deletion('a', 'a2'));
    pending.add(deletion('d'));
    expect(dropped).toEqual(['b']);
    expect(pending.first(9).map(({ id }) => id)).toEqual(['c', 'a2', 'd']);
  });

  it('does not take one as done in whose place a later one is', () => {
    const first = deletion('a', 'first');
    pending.add(first);
    pending.add(deletion('a', 'second'));
    pending.done(first);
    expect(pending.first(9).map(({ id }) => id)).toEqual(['second']);
  });
});
