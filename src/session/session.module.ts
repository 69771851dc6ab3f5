import { Module } from '@nestjs/common';
import { MongooseModule } from '@nestjs/mongoose';
import { ConversationStateManager, SESSION_CLOCK } from './conversation-state-manager.js';
import { SessionEditor } from './session-editor.js';
import { SessionStatsController } from './session-stats.controller.js';
import { SessionController } from './session.controller.js';
import { SessionRepository } from './session.repository.js';
import { SESSION_MODEL, sessionSchema } from './session.schema.js';
import { SessionService } from './session.service.js';

/** Needs `ScheduleModule.forRoot()` in the application: the cleanup of the memory is registered there. */
@Module({
  imports: [MongooseModule.forFeature([{ name: SESSION_MODEL, schema: sessionSchema }])],
  controllers: [SessionStatsController, SessionController],
  providers: [
    { provide: SESSION_CLOCK, useValue: performance },
    ConversationStateManager,
    SessionRepository,
    SessionService,
    SessionEditor,
  ],
  exports: [SessionService, ConversationStateManager],
})
export class SessionModule {}
