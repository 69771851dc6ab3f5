import { type BeforeApplicationShutdown, Inject, Injectable, Module } from '@nestjs/common';
import { MongooseModule } from '@nestjs/mongoose';
import {
  SERVICE_SETTINGS,
  type ServiceSettings,
  TRANSCRIPT_SETTINGS,
  type TranscriptSettings,
  SHUTDOWN_SHARES,
} from '../config/index.js';
import { LOGGER, type Logger } from '../logging/index.js';
import { MonitoringModule } from '../monitoring/index.js';
import {
  createEmbedder,
  type CreatedEmbedder,
  EMBEDDER,
  ServerVectorSearch,
  VECTOR_SEARCH,
  type VectorSearch,
  VectorIndex,
} from '../search/index.js';
import { TenantDeletion, TenantModule } from '../tenant/index.js';
import { OldJournalImport } from './old-journal/old-journal-import.js';
import { ParticipantTranscripts } from './participant-transcripts.js';
import { TombstoneSweeper } from './tombstone-sweeper.js';
import { TranscriptArchivable } from './transcript.archivable.js';
import { TranscriptArchiveRepository } from './transcript-archive.repository.js';
import { TranscriptBacklog } from './transcript-backlog.js';
import { TranscriptMonitoring } from './transcript-monitoring.js';
import { TranscriptOperationsController } from './transcript-operations.controller.js';
import { TranscriptReembedder } from './transcript-reembedder.js';
import { TranscriptStats } from './transcript-stats.js';
import { TranscriptStore } from './transcript-store.js';
import { TranscriptVectors } from './transcript-vectors.js';
import { TranscriptController } from './transcript.controller.js';
import { TranscriptRepository } from './transcript.repository.js';
import {
  COUNTER_MODEL,
  counterSchema,
  TOMBSTONE_MODEL,
  tombstoneSchema,
  TRANSCRIPT_MODEL,
  transcriptSchema,
} from './transcript.schema.js';
import { TranscriptService } from './transcript.service.js';
import { TranscriptWorker } from './transcript.worker.js';
import { VectorUpgrade } from './vector-upgrade.js';

const CREATED_EMBEDDER = Symbol('CREATED_EMBEDDER');

@Injectable()
class TranscriptLifecycle implements BeforeApplicationShutdown {
  constructor(
    private readonly worker: TranscriptWorker,
    private readonly index: VectorIndex,
    @Inject(CREATED_EMBEDDER) private readonly created: CreatedEmbedder,
    @Inject(SERVICE_SETTINGS) private readonly settings: ServiceSettings,
  ) {}

  async beforeApplicationShutdown(): Promise<void> {
    await this.worker.stop(this.settings.SHUTDOWN_GRACE_MS * SHUTDOWN_SHARES.transcripts);
    this.index.close();
    await this.created.stop();
  }
}

/**
 * Texts of whole conversations: accepted into the database, embedded and stored in batches, and searchable by
 * meaning.
 */
@Module({
  imports: [
    MonitoringModule,
    TenantModule,
    MongooseModule.forFeature([
      { name: TRANSCRIPT_MODEL, schema: transcriptSchema },
      { name: COUNTER_MODEL, schema: counterSchema },
      { name: TOMBSTONE_MODEL, schema: tombstoneSchema },
    ]),
  ],
  controllers: [TranscriptOperationsController, TranscriptController],
  providers: [
    {
      provide: CREATED_EMBEDDER,
      useFactory: (settings: TranscriptSettings, logger: Logger) => createEmbedder(settings, logger),
      inject: [TRANSCRIPT_SETTINGS, LOGGER],
    },
    {
      provide: EMBEDDER,
      useFactory: ({ embedder }: CreatedEmbedder) => embedder,
      inject: [CREATED_EMBEDDER],
    },
    {
      provide: VectorIndex,
      useFactory: (source: TranscriptVectors, settings: TranscriptSettings, logger: Logger) =>
        new VectorIndex(source, {
          maxBytes: settings.VECTOR_INDEX_MAX_BYTES,
          onRejected: (tenantId, id, error) => {
            logger.warn({ err: error, tenantId, transcriptId: id }, 'a stored vector cannot be searched');
          },
        }),
      inject: [TranscriptVectors, TRANSCRIPT_SETTINGS, LOGGER],
    },
    {
      provide: VECTOR_SEARCH,
      useFactory: (
        index: VectorIndex,
        { collection }: TranscriptRepository,
        { VECTOR_SEARCH: kind, VECTOR_SEARCH_INDEX: name }: TranscriptSettings,
        logger: Logger,
      ): VectorSearch => (kind === 'atlas' ? new ServerVectorSearch(collection, name, logger) : index),
      inject: [VectorIndex, TranscriptRepository, TRANSCRIPT_SETTINGS, LOGGER],
    },
    TranscriptRepository,
    TranscriptArchiveRepository,
    TranscriptArchivable,
    TranscriptVectors,
    TranscriptStore,
    TranscriptBacklog,
    TranscriptWorker,
    TranscriptService,
    ParticipantTranscripts,
    OldJournalImport,
    TranscriptReembedder,
    VectorUpgrade,
    TombstoneSweeper,
    TranscriptStats,
    TranscriptMonitoring,
    TranscriptLifecycle,
  ],
  exports: [
    OldJournalImport,
    ParticipantTranscripts,
    TranscriptService,
    TranscriptWorker,
    TranscriptStats,
    EMBEDDER,
  ],
})
export class TranscriptModule {
  constructor(index: VectorIndex, tenants: TenantDeletion) {
    tenants.contribute({
      name: 'transcript',
      erase: (tenantId) => {
        index.forget(tenantId);
        return Promise.resolve();
      },
    });
  }
}
