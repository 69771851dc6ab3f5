import { z } from 'zod';
import { parseSecretKeys } from '../common/index.js';
import { count, notEmpty, setting } from './setting-definition.js';

/** Settings for archives and backups; a group of `settingGroups`. */
export const archiveSettings = {
  ARCHIVE_DIR: setting(notEmpty.optional(), 'Directory of the archive files. Unset: "archives" in DATA_DIR.'),
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
};
