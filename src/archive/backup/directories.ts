import { join, resolve } from 'node:path';
import type { Settings } from '../../config/index.js';

/** The settings that backups need. */
export type BackupSettings = Pick<Settings, 'archive' | 'database' | 'service'>;

/** The directory of the archive files. */
export const archiveDirOf = ({ archive, service }: Pick<Settings, 'archive' | 'service'>): string =>
  resolve(archive.ARCHIVE_DIR ?? join(service.DATA_DIR, 'archives'));

/** The directory of the embedded store. */
export const storeDirOf = ({ service }: BackupSettings): string => join(resolve(service.DATA_DIR), 'store');
