import { type DynamicModule, Module } from '@nestjs/common';
import { ScheduleModule } from '@nestjs/schedule';
import { AdminModule } from './admin/index.js';
import { CacheModule } from './cache/index.js';
import { ConfigModule, type Settings } from './config/index.js';
import { ConversationModule } from './conversation/index.js';
import { type CommandListener, DatabaseModule, type ProcessRole } from './database/index.js';
import { RootController } from './http/index.js';
import { type ErrorReporter, type Logger, LoggingModule } from './logging/index.js';
import { MonitoringModule } from './monitoring/index.js';
import { QueueModule } from './queue/index.js';
import { RedisModule } from './redis/index.js';
import { SessionModule } from './session/index.js';
import { TenantModule } from './tenant/index.js';
import { TranscriptModule } from './transcript/index.js';

export interface AppOptions {
  logger: Logger;
  /** Where errors are reported; default: nowhere. */
  errors?: ErrorReporter | undefined;
  /** For measurements: called for each command that is sent to the database. */
  onCommand?: CommandListener | undefined;
  /** What this process is to the others; `api` by default. */
  role?: ProcessRole | undefined;
}

/** The module tree; the API and the worker run the same. */
@Module({})
export class AppModule {
  static forRoot(
    settings: Settings,
    { logger, errors, onCommand, role }: AppOptions,
  ): DynamicModule {
    return {
      module: AppModule,
      controllers: [RootController],
      imports: [
        LoggingModule.forRoot(logger, errors),
        ConfigModule.forRoot(settings),
        ScheduleModule.forRoot(),
        DatabaseModule.forRoot({ onCommand, role }),
        RedisModule,
        CacheModule,
        MonitoringModule,
        TenantModule,
        QueueModule,
        SessionModule,
        ConversationModule,
        TranscriptModule,
        AdminModule,
      ],
    };
  }
}
