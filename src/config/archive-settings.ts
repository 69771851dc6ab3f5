import { CronTime } from 'cron';
import { z } from 'zod';
import { parseSecretKeys } from '../common/index.js';
import { count, httpUrl, integer, notEmpty, setting, type SettingDefinition } from './setting-definition.js';

/** The kinds of data with a retention policy. Each has the setting `retentionSettingOf`. */
export const retentionKinds = ['conversations', 'transcripts', 'jobs'] as const;
export type RetentionKind = (typeof retentionKinds)[number];

/** Days after which data is archived; 0: never. */
export type RetentionDays = Readonly<Partial<Record<RetentionKind, number>>>;

export const MAX_RETENTION_DAYS = 36_500;

const days = (value: number, about: string): SettingDefinition<z.ZodType<number>> =>
  setting(integer(0, MAX_RETENTION_DAYS), `${about} 0: never.`, { default: String(value), unit: 'days' });

const cron = z.string().transform((text, context): string | null => {
  if (text.trim() === 'off') return null;
  if (CronTime.validateCronExpression(text).valid) return text;
  context.addIssue({
    code: 'custom',
    message: 'must be a cron expression of minute, hour, day, month and weekday, or off',
  });
  return z.NEVER;
});

const timeZone = z.string().refine((name) => {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}, 'must be the name of a time zone, for example Europe/Berlin or UTC');

/** Settings for retention, archives and backups; a group of `settingGroups`. */
export const archiveSettings = {
  RETENTION_CONVERSATIONS_DAYS: days(
    365,
    'Conversations are moved to an archive this long after their last activity, whether closed or not.',
  ),
  RETENTION_TRANSCRIPTS_DAYS: days(
    730,
    'Transcripts are moved to an archive this long after they were created. From then on, they are not found by searches.',
  ),
  RETENTION_JOBS_DAYS: days(
    30,
    'Completed and failed jobs are moved to an archive this long after their end.',
  ),
  RETENTION_RESTORED_DAYS: count(
    30,
    0,
    36_500,
    'Restored data is not archived again for this many days, even if it is due.',
  ),
  ARCHIVE_SCHEDULE: setting(
    cron,
    'When due data is archived, as a cron expression in ARCHIVE_TIME_ZONE; off: only on request. Of several processes, one does it. A time that was missed is made up for.',
    { default: '0 2 * * 0' },
  ),
  ARCHIVE_TIME_ZONE: setting(timeZone, 'Time zone of ARCHIVE_SCHEDULE and BACKUP_SCHEDULE.', {
    default: 'UTC',
  }),
  ARCHIVE_DIR: setting(
    notEmpty.optional(),
    'Directory of the archives. All processes must share it. Unset: the directory archives in DATA_DIR.',
  ),
  ARCHIVE_S3_BUCKET: setting(
    notEmpty.optional(),
    'Bucket in Amazon S3, or a service with the same API, in which archives are kept instead of ARCHIVE_DIR.',
  ),
  ARCHIVE_S3_PREFIX: setting(
    z
      .string()
      .regex(/^(?:[\w.-]+\/)*$/, 'must consist of names of letters, digits, _ . or - that end with a slash'),
    'Begins the names of all objects. Each deployment that shares a bucket needs its own.',
    { default: 'colloquy/' },
  ),
  ARCHIVE_S3_REGION: setting(notEmpty, 'Region of the bucket.', { default: 'us-east-1' }),
  ARCHIVE_S3_ENDPOINT: setting(httpUrl.optional(), 'URL of the service, if it is not Amazon S3.'),
  ARCHIVE_S3_ACCESS_KEY_ID: setting(
    notEmpty.optional(),
    'Access key of the service. Unset: the credentials that the environment provides, such as a role of the machine.',
  ),
  ARCHIVE_S3_SECRET_ACCESS_KEY: setting(notEmpty.optional(), 'Secret of the access key.'),
  ARCHIVE_MAX_ROWS: count(
    50_000,
    1,
    1_000_000,
    'An archive ends once it has this many documents. Larger amounts of data are stored in several archives.',
  ),
  BACKUP_SCHEDULE: setting(
    cron,
    'When a backup is made in BACKUP_DIR, as a cron expression in ARCHIVE_TIME_ZONE; off: only by npm run backup.',
    { default: '30 3 * * *' },
  ),
  BACKUP_DIR: setting(
    notEmpty.optional(),
    'Directory in which scheduled backups are made. Keep it on another disk than DATA_DIR. Unset: no scheduled backups.',
  ),
  BACKUP_KEEP_DAILY: count(7, 1, 3650, 'Number of days of which the newest backup is kept.'),
  BACKUP_KEEP_WEEKLY: count(4, 0, 520, 'Number of ISO weeks of which the newest backup is kept.'),
  BACKUP_KEY: setting(
    z
      .string()
      .refine(
        (text) => parseSecretKeys(text) !== undefined,
        'must be 32 bytes as base64, or several such keys separated by commas; make one with: openssl rand -base64 32',
      )
      .optional(),
    'Key with which backups are encrypted. Without it, an encrypted backup cannot be restored, so keep a copy outside of the machine. Make one with: openssl rand -base64 32. Several, separated by commas: the first encrypts, the others only decrypt, so that keys can be rotated. Unset: backups are not encrypted.',
  ),
} as const;
