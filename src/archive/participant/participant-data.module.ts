import { Module } from '@nestjs/common';
import { MongooseModule } from '@nestjs/mongoose';
import { parseSecretKeys, SecretBox } from '../../common/index.js';
import { SERVICE_SETTINGS, type ServiceSettings } from '../../config/index.js';
import { ConversationModule } from '../../conversation/index.js';
import { QueueModule } from '../../queue/index.js';
import { RedisModule } from '../../redis/index.js';
import { SessionModule } from '../../session/index.js';
import { TenantModule } from '../../tenant/index.js';
import { TranscriptModule } from '../../transcript/index.js';
import { ErasedIdStore } from './erased-id-store.js';
import { ErasedIdRepository } from './erased-id.repository.js';
import { ERASED_ID_MODEL, erasedIdSchema } from './erased-id.schema.js';
import { ErasureKeyRepository } from './erasure-key.repository.js';
import { ERASURE_KEY_MODEL, erasureKeySchema } from './erasure-key.schema.js';
import { ParticipantDataController } from './participant-data.controller.js';
import { ParticipantDataRegistry } from './participant-data.js';
import { ParticipantEraser } from './participant-eraser.js';
import { ParticipantErasureRepository } from './participant-erasure.repository.js';
import { PARTICIPANT_ERASURE_MODEL, participantErasureSchema } from './participant-erasure.schema.js';
import { ParticipantExporter } from './participant-exporter.js';
import { ParticipantHashes } from './participant-hashes.js';
import {
  ConversationData,
  JobData,
  LastingData,
  SessionData,
  TranscriptData,
} from './participant-sources.js';

/**
 * Erases and exports everything of one participant. Requires `ScheduleModule.forRoot()` in the application, which
 * runs the sweep of interrupted erasures. A module that holds something of participants contributes it to
 * `ParticipantDataRegistry`.
 */
@Module({
  imports: [
    TenantModule,
    RedisModule,
    QueueModule,
    SessionModule,
    TranscriptModule,
    ConversationModule,
    MongooseModule.forFeature([
      { name: PARTICIPANT_ERASURE_MODEL, schema: participantErasureSchema },
      { name: ERASED_ID_MODEL, schema: erasedIdSchema },
      { name: ERASURE_KEY_MODEL, schema: erasureKeySchema },
    ]),
  ],
  controllers: [ParticipantDataController],
  providers: [
    {
      provide: SecretBox,
      useFactory: ({ SECRETS_KEY }: ServiceSettings) =>
        new SecretBox(SECRETS_KEY === undefined ? [] : (parseSecretKeys(SECRETS_KEY) ?? [])),
      inject: [SERVICE_SETTINGS],
    },
    ErasureKeyRepository,
    ErasedIdRepository,
    ParticipantErasureRepository,
    ParticipantHashes,
    ErasedIdStore,
    ParticipantDataRegistry,
    TranscriptData,
    ConversationData,
    SessionData,
    JobData,
    LastingData,
    ParticipantEraser,
    ParticipantExporter,
  ],
  exports: [ParticipantDataRegistry, ParticipantHashes, ErasedIdStore, ParticipantEraser],
})
export class ParticipantDataModule {
  constructor(
    registry: ParticipantDataRegistry,
    transcripts: TranscriptData,
    conversations: ConversationData,
    sessions: SessionData,
    jobs: JobData,
    lasting: LastingData,
  ) {
    for (const data of [transcripts, conversations, sessions, jobs]) registry.contribute(data);
    registry.contributeLater(lasting);
  }
}
