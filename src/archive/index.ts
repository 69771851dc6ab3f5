export { ArchiveModule } from './archive.module.js';
export { ArchiveService } from './archive.service.js';
export type { RestoreReport } from './archive-restorer.js';
export { ArchiveRunService } from './archive-run.service.js';
export { ArchiveScheduler } from './archive-scheduler.js';
export { ARCHIVE_STORE, ArchiveFileMissingError, type ArchiveStore } from './archive-store.js';
export type { RunRecord, RunRequest, RunResult } from './archive.schema.js';
export {
  type Counts,
  type ExportedDocument,
  type Later,
  type ParticipantData,
  ParticipantDataRegistry,
  ParticipantEraser,
  ParticipantHashes,
} from './participant/index.js';
export {
  BackupError,
  type BackupReport,
  BackupService,
  markBackups,
  type BackupRestoreReport,
  restoreBackup,
} from './backup/index.js';
