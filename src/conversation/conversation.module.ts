import { type DynamicModule, Module, type Provider, type Type } from '@nestjs/common';
import { MongooseModule } from '@nestjs/mongoose';
import { PROCESSING_SETTINGS, type ProcessingSettings } from '../config/index.js';
import { QueueModule } from '../queue/index.js';
import { SessionModule } from '../session/index.js';
import { TranscriptModule } from '../transcript/index.js';
import { ConversationCloser } from './closing/conversation-closer.js';
import { ConversationTextReader } from './closing/conversation-text.js';
import { ConversationTranscriptProcessor } from './closing/conversation-transcript.processor.js';
import { conversationTranscripts } from './closing/conversation-transcript.queue.js';
import { ConversationTranscriber } from './closing/conversation-transcriber.js';
import { ExtractiveSummarizer } from './closing/extractive.summarizer.js';
import { ResponderSummarizer } from './closing/responder.summarizer.js';
import { type Summarizer, SUMMARIZER } from './closing/summarizer.js';
import { ConversationEraser } from './conversation-eraser.js';
import { ConversationHeads } from './conversation-heads.js';
import { ConversationLocator } from './conversation-locator.js';
import { ConversationController } from './conversation.controller.js';
import { ConversationRepository } from './conversation.repository.js';
import { CONVERSATION_MODEL, conversationSchema } from './conversation.schema.js';
import { ConversationService } from './conversation.service.js';
import { ConversationWriter } from './conversation-writer.js';
import { MessageMetrics } from './message-metrics.js';
import { MessageProcessor } from './message-processor.js';
import { MessageController } from './message.controller.js';
import { MessageRepository } from './message.repository.js';
import { MESSAGE_MODEL, messageSchema } from './message.schema.js';
import { MessageService } from './message.service.js';
import { ResponderController } from './responder.controller.js';
import { ResponderSettingsRepository } from './responder-settings.repository.js';
import { RESPONDER_SETTINGS_MODEL, responderSettingsSchema } from './responder-settings.schema.js';
import { GoalResponder } from './responders/goal/goal.responder.js';
import { HttpResponder } from './responders/http/http.responder.js';
import type { Responder } from './responders/responder.js';
import { ResponderRegistry, RESPONDERS } from './responders/responder-registry.js';
import { ResponderRunner } from './responders/responder-runner.js';
import { ResponderSettingsService } from './responders/responder-settings.service.js';

const builtIn: readonly Type<Responder>[] = [GoalResponder, HttpResponder];

/** The responders as providers, so that each can have dependencies injected, and the list of them under RESPONDERS. */
const responderProviders = (types: readonly Type<Responder>[]): Provider[] => [
  ...types,
  { provide: RESPONDERS, useFactory: (...responders: Responder[]) => responders, inject: [...types] },
];

/** Needs `ScheduleModule.forRoot()` in the application: the sweep of interrupted erasures is registered there. */
@Module({
  imports: [
    SessionModule,
    TranscriptModule,
    QueueModule.forFeature([conversationTranscripts]),
    MongooseModule.forFeature([
      { name: CONVERSATION_MODEL, schema: conversationSchema },
      { name: MESSAGE_MODEL, schema: messageSchema },
      { name: RESPONDER_SETTINGS_MODEL, schema: responderSettingsSchema },
    ]),
  ],
  controllers: [ConversationController, MessageController, ResponderController],
  providers: [
    ConversationRepository,
    MessageRepository,
    ResponderSettingsRepository,
    ConversationHeads,
    ConversationLocator,
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
    ConversationWriter,
    MessageMetrics,
    MessageProcessor,
    ResponderRegistry,
    ResponderSettingsService,
    ResponderRunner,
    ...responderProviders(builtIn),
  ],
  exports: [MessageProcessor],
})
export class ConversationModule {
  /** The same room with further responders, which tenants can choose by their `type`. See docs/extending.md. */
  static withResponders(responders: readonly Type<Responder>[]): DynamicModule {
    return { module: ConversationModule, providers: responderProviders([...builtIn, ...responders]) };
  }
}
