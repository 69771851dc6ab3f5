import { Module } from '@nestjs/common';
import { MongooseModule } from '@nestjs/mongoose';
import { RedisModule } from '../redis/index.js';
import { MonitoringModule } from '../monitoring/index.js';
import { TenantDeletion, TenantDirectory, TenantModule } from '../tenant/index.js';
import { ConversationStateManager, SESSION_CLOCK } from './conversation-state-manager.js';
import { SessionEditor } from './session-editor.js';
import { SessionMonitoring } from './session-monitoring.js';
import { SessionStatsController } from './session-stats.controller.js';
import { SessionStore } from './session-store.js';
import { SessionController } from './session.controller.js';
import { SessionRepository } from './session.repository.js';
import { SESSION_MODEL, sessionSchema } from './session.schema.js';
import { SessionService } from './session.service.js';
import { SHARED_SESSION_POLICY, type SharedSessionPolicy } from './shared-session.policy.js';
import { SharedSessions } from './shared-sessions.js';

/** Requires `ScheduleModule.forRoot()` in the application, which runs the memory cleanup. */
@Module({
  imports: [
    MonitoringModule,
    TenantModule,
    RedisModule,
    MongooseModule.forFeature([{ name: SESSION_MODEL, schema: sessionSchema }]),
  ],
  controllers: [SessionStatsController, SessionController],
  providers: [
    { provide: SESSION_CLOCK, useValue: performance },
    {
      provide: SHARED_SESSION_POLICY,
      useFactory: (tenants: TenantDirectory): SharedSessionPolicy => ({
        allows: async (tenantId) => (await tenants.features(tenantId)).sharedState,
      }),
      inject: [TenantDirectory],
    },
    ConversationStateManager,
    SharedSessions,
    SessionRepository,
    SessionStore,
    SessionService,
    SessionEditor,
    SessionMonitoring,
  ],
  exports: [SessionService, SessionStore, ConversationStateManager],
})
export class SessionModule {
  constructor(store: SessionStore, tenants: TenantDeletion) {
    tenants.contribute({
      name: 'session',
      erase: (tenantId, signal) => store.deleteAll(tenantId, signal),
    });
  }
}
