import { Module } from '@nestjs/common';
import { MongooseModule } from '@nestjs/mongoose';
import {
  ARCHIVE_SETTINGS,
  type ArchiveSettings,
  DATABASE_SETTINGS,
  type DatabaseSettings,
  SERVICE_SETTINGS,
  type ServiceSettings,
} from '../config/index.js';
import { ConversationModule } from '../conversation/index.js';
import { LOGGER, type Logger } from '../logging/index.js';
import { MonitoringModule } from '../monitoring/index.js';
import { QueueModule } from '../queue/index.js';
import { TenantDeletion, TenantModule } from '../tenant/index.js';
import { TranscriptModule } from '../transcript/index.js';
import { ArchiveController } from './archive.controller.js';
import { ArchiveFiles } from './archive-files.js';
import { ArchiveMonitoring } from './archive-monitoring.js';
import { archiveRestores, archiveRuns } from './archive.queue.js';
import { ArchiveRepository } from './archive.repository.js';
import { ArchiveRestoreProcessor } from './archive-restore.processor.js';
import { ArchiveRestorer } from './archive-restorer.js';
import { ArchiveRunProcessor } from './archive-run.processor.js';
import { ArchiveRunRepository } from './archive-run.repository.js';
import { ArchiveRunService } from './archive-run.service.js';
import { ArchiveScheduler } from './archive-scheduler.js';
import {
  ARCHIVE_MODEL,
  archiveSchema,
  HOLD_MODEL,
  holdSchema,
  RUN_MODEL,
  runSchema,
  SCHEDULE_MODEL,
  scheduleSchema,
} from './archive.schema.js';
import { ArchiveService } from './archive.service.js';
import { ARCHIVE_STORE } from './archive-store.js';
import { Archiver } from './archiver.js';
import { ParticipantDataModule, ParticipantDataRegistry } from './participant/index.js';
import { ParticipantArchives } from './participant-archives.js';
import { BackupMarks } from './backup/backup-marks.js';
import { BackupMonitoring } from './backup/backup-monitoring.js';
import { BackupProcessor } from './backup/backup.processor.js';
import { backupRuns } from './backup/backup.queue.js';
import { BackupService } from './backup/backup.service.js';
import { createArchiveStore } from './create-archive-store.js';
import { Schedules } from './schedule.js';
import { ScheduleRepository } from './schedule.repository.js';

/**
 * Retention: moves data that is old enough to archives, and back. Which data there is, its module contributes
 * to the `ArchivableRegistry`.
 */
@Module({
  imports: [
    MonitoringModule,
    TenantModule,
    ParticipantDataModule,
    ConversationModule,
    TranscriptModule,
    QueueModule.forFeature([archiveRuns, archiveRestores, backupRuns]),
    MongooseModule.forFeature([
      { name: ARCHIVE_MODEL, schema: archiveSchema },
      { name: HOLD_MODEL, schema: holdSchema },
      { name: RUN_MODEL, schema: runSchema },
      { name: SCHEDULE_MODEL, schema: scheduleSchema },
    ]),
  ],
  controllers: [ArchiveController],
  providers: [
    {
      provide: ARCHIVE_STORE,
      useFactory: createArchiveStore,
      inject: [ARCHIVE_SETTINGS, SERVICE_SETTINGS],
    },
    ArchiveRepository,
    ArchiveRunRepository,
    ArchiveFiles,
    Archiver,
    ArchiveRestorer,
    ArchiveMonitoring,
    ArchiveRunService,
    ArchiveService,
    ArchiveScheduler,
    Schedules,
    ScheduleRepository,
    ArchiveRunProcessor,
    ArchiveRestoreProcessor,
    ParticipantArchives,
    {
      provide: BackupService,
      useFactory: (
        archive: ArchiveSettings,
        database: DatabaseSettings,
        service: ServiceSettings,
        logger: Logger,
      ) => new BackupService({ archive, database, service }, logger),
      inject: [ARCHIVE_SETTINGS, DATABASE_SETTINGS, SERVICE_SETTINGS, LOGGER],
    },
    BackupProcessor,
    BackupMarks,
    BackupMonitoring,
  ],
  exports: [ArchiveService, ArchiveRunService, ParticipantDataModule],
})
export class ArchiveModule {
  constructor(
    archives: ArchiveService,
    tenants: TenantDeletion,
    participants: ParticipantDataRegistry,
    participantArchives: ParticipantArchives,
    backupMarks: BackupMarks,
  ) {
    participants.contribute(participantArchives);
    participants.contribute(backupMarks);
    tenants.contribute({
      name: 'archive',
      erase: (tenantId, signal) => archives.deleteAll(tenantId, signal),
    });
  }
}
