import { loadSettings } from '../../config/index.js';
import type { ParticipantHashes } from '../participant/index.js';
import { BackupMarks } from './backup-marks.js';

const hashes = {} as ParticipantHashes;

/** What a receipt of 2026-12-01 (a Tuesday), 12:00 UTC, says about the backups in BACKUP_DIR. */
function receiptWith(env: Record<string, string>): { what: string; until: Date | null } | undefined {
  const { archive } = loadSettings({ BACKUP_DIR: '/backups', ARCHIVE_TIME_ZONE: 'UTC', ...env });
  const [entry] = new BackupMarks(hashes, archive).later();
  return entry;
}

describe('the date on a receipt until which backups contain an erased participant', () => {
  beforeEach(() => jest.useFakeTimers({ now: new Date('2026-12-01T12:00:00Z') }));
  afterEach(() => jest.useRealTimers());

  it.each([
    // The first backup of the fourth later week: these begin on the 7th, 14th, 21st and 28th.
    ['a daily schedule', '30 3 * * *', {}, '2026-12-29T03:30:00.000Z'],
    ['a daily schedule, days alone', '30 3 * * *', { BACKUP_KEEP_WEEKLY: '0' }, '2026-12-09T03:30:00.000Z'],
    // Seven days with a backup are seven weeks.
    ['a weekly schedule', '30 3 * * 0', {}, '2027-01-18T03:30:00.000Z'],
    ['a monthly schedule', '0 0 1 * *', {}, '2027-07-02T00:00:00.000Z'],
    ['several times a day', '0 */6 * * *', { BACKUP_KEEP_WEEKLY: '0' }, '2026-12-09T00:00:00.000Z'],
  ])('is a day after enough newer backups are due: %s', (_name, schedule, keep, until) => {
    const entry = receiptWith({ BACKUP_SCHEDULE: schedule, ...keep });
    expect(entry?.until?.toISOString()).toBe(until);
    expect(entry?.what).toMatch(/if every scheduled backup is made/);
  });

  it('is unknown if no schedule makes backups', () => {
    const entry = receiptWith({ BACKUP_SCHEDULE: 'off' });
    expect(entry?.until).toBeNull();
    expect(entry?.what).toMatch(/until there are verified backups of 7 later days and 4 later weeks/);
  });

  it('is unknown if the schedule never makes enough backups', () => {
    expect(receiptWith({ BACKUP_SCHEDULE: '0 0 29 2 *' })?.until).toBeNull();
  });
});
