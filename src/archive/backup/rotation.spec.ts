import { backupsToDelete, type KnownBackup } from './rotation.js';

const at = (createdAt: string, isVerified = true): KnownBackup => ({
  name: createdAt,
  createdAt: new Date(createdAt),
  isVerified,
});

/** One backup at noon on each of the days before and including the last, a Sunday. */
const daily = (count: number, last = '2026-11-29T12:00:00Z'): KnownBackup[] =>
  Array.from({ length: count }, (_, days) =>
    at(new Date(Date.parse(last) - days * 86_400_000).toISOString()),
  );

const kept = (backups: readonly KnownBackup[], rules = { daily: 7, weekly: 4 }): string[] => {
  const doomed = new Set(backupsToDelete(backups, rules));
  return backups
    .filter((backup) => !doomed.has(backup))
    .map(({ name }) => name.slice(0, 10))
    .sort();
};

describe('backupsToDelete', () => {
  it('keeps the newest of each of 7 days and of 4 ISO weeks, which end on Sunday', () => {
    expect(kept(daily(60))).toEqual([
      '2026-11-08',
      '2026-11-15',
      '2026-11-22',
      ...['23', '24', '25', '26', '27', '28', '29'].map((day) => `2026-11-${day}`),
    ]);
  });

  it('keeps the newest of a day, whatever the order of the list', () => {
    const [morning, noon, evening] = [6, 12, 18].map((hour) =>
      at(`2026-11-29T${String(hour).padStart(2, '0')}:00:00Z`),
    ) as [KnownBackup, KnownBackup, KnownBackup];
    expect(backupsToDelete([noon, evening, morning], { daily: 7, weekly: 4 })).toEqual([noon, morning]);
  });

  it('puts days of two years into the same ISO week', () => {
    // 2026-12-31 is a Thursday, 2027-01-03 the Sunday of the same week.
    const backups = [at('2026-12-31T00:00:00Z'), at('2027-01-03T00:00:00Z'), at('2027-01-04T00:00:00Z')];
    expect(kept(backups, { daily: 1, weekly: 2 })).toEqual(['2027-01-03', '2027-01-04']);
  });

  it('counts only days with a backup, so that a schedule that has stopped deletes nothing', () => {
    const backups = [...daily(2), ...daily(5, '2026-06-30T12:00:00Z')];
    expect(backupsToDelete(backups, { daily: 7, weekly: 4 })).toEqual([]);
  });

  it('always keeps the newest', () => {
    expect(kept(daily(3), { daily: 0, weekly: 0 })).toEqual(['2026-11-29']);
  });

  it('lets no backup that is not verified replace one that is', () => {
    const good = at('2026-11-29T06:00:00Z');
    const unverified = at('2026-11-29T18:00:00Z', false);
    expect(backupsToDelete([good, unverified], { daily: 7, weekly: 4 })).toEqual([]);
  });

  it('deletes backups that are not verified once there is a newer one that is', () => {
    const old = at('2026-11-28T06:00:00Z', false);
    const good = at('2026-11-29T06:00:00Z');
    expect(backupsToDelete([good, old], { daily: 7, weekly: 4 })).toEqual([old]);
  });

  it('deletes nothing without a verified backup', () => {
    expect(backupsToDelete([at('2026-11-28T06:00:00Z', false)], { daily: 0, weekly: 0 })).toEqual([]);
    expect(backupsToDelete([], { daily: 7, weekly: 4 })).toEqual([]);
  });
});
