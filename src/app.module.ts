import { type DynamicModule, Module } from '@nestjs/common';
import { ScheduleModule } from '@nestjs/schedule';
import { AdminModule } from './admin/index.js';
import { ParticipantDataModule } from './archive/participant/index.js';
import { ConfigModule, type Settings } from './config/index.js';
import { ConversationModule } from './conversation/index.js';
import { type CommandListener, DatabaseModule, type ProcessRole } from './database/index.js';
import { RootController } from './http/index.js';
import { type ErrorReporter, type Logger, LoggingModule } from './logging/index.js';
import { MonitoringModule } from './monitoring/index.js';
import { QueueModule } from './queue/index.js';
import { SessionModule } from './session/index.js';
import { TenantModule } from './tenant/index.js';
import { TranscriptModule } from './transcript/index.js';

export interface AppOptions {
  logger: Logger;
  /** Receives error reports; by default they are discarded. */
  errors?: ErrorReporter | undefined;
  /** For measurements: called with each command that is sent to the database. */
  onCommand?: CommandListener | undefined;
  /** The role of this process in the deployment; defaults to `api`. */
  role?: ProcessRole | undefined;
}

/** The module tree, which is the same for the API and the worker. */
@Module({})
export class AppModule {
  static forRoot(settings: Settings, { logger, errors, onCommand, role }: AppOptions): DynamicModule {
    return {
      module: AppModule,
      controllers: [RootController],
      imports: [
        LoggingModule.forRoot(logger, errors),
        ConfigModule.forRoot(settings),
        ScheduleModule.forRoot(),
        DatabaseModule.forRoot({ onCommand, role }),
        MonitoringModule,
        TenantModule,
        QueueModule,
        SessionModule,
        ConversationModule,
        TranscriptModule,
        ParticipantDataModule,
        AdminModule,
      ],
    };
  }
}
