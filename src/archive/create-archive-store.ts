import type { ArchiveSettings, ServiceSettings } from '../config/index.js';
import type { ArchiveStore } from './archive-store.js';
import { archiveDirOf } from './backup/directories.js';
import { DirectoryArchiveStore } from './directory-archive-store.js';
import { S3ArchiveStore } from './s3-archive-store.js';

/** The store that the settings name. */
export function createArchiveStore(archive: ArchiveSettings, service: ServiceSettings): ArchiveStore {
  const { ARCHIVE_S3_BUCKET: bucket } = archive;
  if (bucket === undefined) return new DirectoryArchiveStore(archiveDirOf({ archive, service }));
  const { ARCHIVE_S3_ACCESS_KEY_ID: accessKeyId, ARCHIVE_S3_SECRET_ACCESS_KEY: secretAccessKey } = archive;
  return new S3ArchiveStore({
    bucket,
    prefix: archive.ARCHIVE_S3_PREFIX,
    region: archive.ARCHIVE_S3_REGION,
    endpoint: archive.ARCHIVE_S3_ENDPOINT,
    credentials:
      accessKeyId === undefined || secretAccessKey === undefined
        ? undefined
        : { accessKeyId, secretAccessKey },
  });
}
