import { Module } from '@nestjs/common';
import { MongooseModule } from '@nestjs/mongoose';
import { CacheModule } from '../cache/index.js';
import { PROCESSING_SETTINGS, type ProcessingSettings } from '../config/index.js';
import { MonitoringModule } from '../monitoring/index.js';
import { QueueModule } from '../queue/index.js';
import { ResponderModule } from '../responder/index.js';
import { SessionModule } from '../session/index.js';
import { TenantModule } from '../tenant/index.js';
import { TranscriptModule } from '../transcript/index.js';
import { ConversationArchivable } from './archiving/conversation.archivable.js';
import { ConversationArchiveRepository } from './archiving/conversation-archive.repository.js';
import { ClosingRepository } from './closing/closing.repository.js';
import { CLOSING_MODEL, closingSchema } from './closing/closing.schema.js';
import { ConversationCloser } from './closing/conversation-closer.js';
import { ConversationTextReader } from './closing/conversation-text.js';
import { ConversationTranscriber } from './closing/conversation-transcriber.js';
import { ConversationTranscriptProcessor } from './closing/conversation-transcript.processor.js';
import { conversationTranscripts } from './closing/conversation-transcript.queue.js';
import { ExtractiveSummarizer } from './closing/extractive.summarizer.js';
import { ResponderSummarizer } from './closing/responder.summarizer.js';
import { type Summarizer, SUMMARIZER } from './closing/summarizer.js';
import { ConversationEraser } from './conversation-eraser.js';
import { ConversationHeads } from './conversation-heads.js';
import { ConversationLocator } from './conversation-locator.js';
import { ConversationWriter } from './conversation-writer.js';
import { ConversationController } from './conversation.controller.js';
import { ConversationRepository } from './conversation.repository.js';
import { CONVERSATION_MODEL, conversationSchema } from './conversation.schema.js';
import { ConversationService } from './conversation.service.js';
import { DerivedData } from './derived-data.js';
import { MessageImportController } from './message-import.controller.js';
import { MessageDebouncer } from './message-debouncer.js';
import { MessageMetrics } from './message-metrics.js';
import { MessageProcessor } from './message-processor.js';
import { MessageController } from './message.controller.js';
import { MessageRepository } from './message.repository.js';
import { ParticipantConversations } from './participant-conversations.js';
import { ParticipantController } from './participant.controller.js';
import { ParticipantService } from './participant.service.js';
import { MESSAGE_MODEL, messageSchema } from './message.schema.js';
import { MessageService } from './message.service.js';

/** Requires `ScheduleModule.forRoot()` in the application, which runs the sweep of interrupted erasures. */
@Module({
  imports: [
    CacheModule,
    MonitoringModule,
    TenantModule,
    SessionModule,
    ResponderModule,
    TranscriptModule,
    QueueModule.forFeature([conversationTranscripts]),
    MongooseModule.forFeature([
      { name: CONVERSATION_MODEL, schema: conversationSchema },
      { name: MESSAGE_MODEL, schema: messageSchema },
      { name: CLOSING_MODEL, schema: closingSchema },
    ]),
  ],
  controllers: [ConversationController, MessageController, MessageImportController, ParticipantController],
  providers: [
    ConversationRepository,
    MessageRepository,
    ConversationHeads,
    ConversationLocator,
    ClosingRepository,
    DerivedData,
    ConversationEraser,
    ConversationService,
    ConversationCloser,
    ConversationTextReader,
    ConversationTranscriber,
    ConversationTranscriptProcessor,
    ExtractiveSummarizer,
    ResponderSummarizer,
    {
      provide: SUMMARIZER,
      useFactory: (
        { SUMMARIZER: choice }: ProcessingSettings,
        extractive: ExtractiveSummarizer,
        responder: ResponderSummarizer,
      ): Summarizer => (choice === 'responder' ? responder : extractive),
      inject: [PROCESSING_SETTINGS, ExtractiveSummarizer, ResponderSummarizer],
    },
    MessageService,
    ParticipantService,
    ParticipantConversations,
    ConversationWriter,
    MessageDebouncer,
    MessageMetrics,
    MessageProcessor,
    ConversationArchiveRepository,
    ConversationArchivable,
  ],
  exports: [ConversationService, MessageService, MessageProcessor, ParticipantConversations],
})
export class ConversationModule {}
