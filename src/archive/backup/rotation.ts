/** A backup as rotation sees it. */
export interface KnownBackup {
  name: string;
  createdAt: Date;
  /** Whether all its files are there and a restore of it was compared with the manifest. */
  isVerified: boolean;
}

export interface KeepRules {
  /** Number of days and of ISO weeks of which the newest backup is kept. */
  daily: number;
  weekly: number;
}

/** The day in UTC. */
export const dayOf = (date: Date): string => date.toISOString().slice(0, 10);

const DAY_MS = 86_400_000;

/** The Monday of the ISO week, in UTC, which identifies the week. */
export const weekOf = (date: Date): string =>
  dayOf(new Date(date.getTime() - ((date.getUTCDay() + 6) % 7) * DAY_MS));

/** The newest backup of each of the newest `count` periods. `backups` are sorted, the newest first. */
function newestOfEach(
  backups: readonly KnownBackup[],
  periodOf: (date: Date) => string,
  count: number,
): KnownBackup[] {
  const newest = new Map<string, KnownBackup>();
  for (const backup of backups) {
    const period = periodOf(backup.createdAt);
    if (newest.has(period)) continue;
    if (newest.size >= count) break;
    newest.set(period, backup);
  }
  return [...newest.values()];
}

/**
 * Returns the backups that rotation deletes. Of the verified ones, it keeps the newest, and the newest of each
 * of the last `daily` days and `weekly` ISO weeks (UTC) in which there is one: days without a backup do not
 * count, so that a schedule that stopped deletes nothing. One that is not verified never replaces another, and is
 * deleted once a newer verified one exists.
 */
export function backupsToDelete(
  backups: readonly KnownBackup[],
  { daily, weekly }: KeepRules,
): KnownBackup[] {
  const sorted = backups.toSorted((a, b) => b.createdAt.getTime() - a.createdAt.getTime());
  const verified = sorted.filter(({ isVerified }) => isVerified);
  const newest = verified[0];
  if (!newest) return [];
  const kept = new Set([
    newest,
    ...newestOfEach(verified, dayOf, daily),
    ...newestOfEach(verified, weekOf, weekly),
  ]);
  return sorted.filter(
    (backup) =>
      !kept.has(backup) && (backup.isVerified || backup.createdAt.getTime() < newest.createdAt.getTime()),
  );
}
