import { Module } from '@nestjs/common';
import { MongooseModule } from '@nestjs/mongoose';
import { MONITORING_SETTINGS, type MonitoringSettings } from '../config/index.js';
import { LOGGER, type Logger } from '../logging/index.js';
import { MetricsService, MonitoringModule } from '../monitoring/index.js';
import { QueueModule } from '../queue/index.js';
import { RedisModule } from '../redis/index.js';
import { AdminKey, TenantModule } from '../tenant/index.js';
import { AdminConsole } from './admin-console.js';
import { AdminGate } from './admin-gate.js';
import { AdminController } from './admin.controller.js';
import { QueueBoard } from './board/queue-board.js';
import { DashboardFeed } from './dashboard/dashboard-feed.js';
import { DashboardSampler } from './dashboard/dashboard-sampler.js';
import { DashboardController } from './dashboard/dashboard.controller.js';
import type { ServiceSnapshot } from './dashboard/service-snapshot.js';
import { AdminSessions } from './session/admin-sessions.js';
import { EndedSessionRepository } from './session/ended-session.repository.js';
import { ENDED_SESSION_MODEL, endedSessionSchema } from './session/ended-session.schema.js';
import { EndedSessions } from './session/ended-sessions.js';

/** The pages for operators: sign-in, dashboard and queues. */
@Module({
  imports: [
    MonitoringModule,
    TenantModule,
    QueueModule,
    RedisModule,
    MongooseModule.forFeature([{ name: ENDED_SESSION_MODEL, schema: endedSessionSchema }]),
  ],
  controllers: [AdminController, DashboardController],
  providers: [
    {
      provide: AdminSessions,
      useFactory: (key: AdminKey) => new AdminSessions(key.derive('admin sessions'), () => Date.now()),
      inject: [AdminKey],
    },
    EndedSessionRepository,
    {
      provide: EndedSessions,
      useFactory: (repository: EndedSessionRepository, logger: Logger) =>
        new EndedSessions(repository, logger),
      inject: [EndedSessionRepository, LOGGER],
    },
    AdminGate,
    QueueBoard,
    {
      provide: DashboardSampler,
      useFactory: (metrics: MetricsService, { MONITORING }: MonitoringSettings, logger: Logger) =>
        new DashboardSampler({
          // Every process runs all modules, so all sections are there.
          collect: () => metrics.collect() as Promise<ServiceSnapshot>,
          logger,
          keepsHistory: MONITORING === 'on',
        }),
      inject: [MetricsService, MONITORING_SETTINGS, LOGGER],
    },
    {
      provide: DashboardFeed,
      useFactory: (sampler: DashboardSampler) => new DashboardFeed(sampler),
      inject: [DashboardSampler],
    },
    AdminConsole,
  ],
})
export class AdminModule {}
