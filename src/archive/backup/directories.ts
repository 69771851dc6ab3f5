import { join, resolve } from 'node:path';
import type { Settings } from '../../config/index.js';

/** The directory of the archive files. */
export const archiveDirOf = ({ archive, service }: Settings): string =>
  resolve(archive.ARCHIVE_DIR ?? join(service.DATA_DIR, 'archives'));

/** The directory of the embedded store. */
export const storeDirOf = ({ service }: Settings): string => join(resolve(service.DATA_DIR), 'store');
