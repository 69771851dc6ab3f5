export { BackupError } from './backup-error.js';
export { type BackupOptions, type BackupReport, BackupService } from './backup.service.js';
export { type ErasureMark, markBackups } from './erasure-marks.js';
export { restoreBackup, type RestoreOptions, type BackupRestoreReport } from './restore.js';
