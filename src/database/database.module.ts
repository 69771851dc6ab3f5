import {
  type DynamicModule,
  Global,
  Inject,
  Injectable,
  Module,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { getConnectionToken, getModelToken } from '@nestjs/mongoose';
import type { Connection } from 'mongoose';
import {
  DATABASE_SETTINGS,
  type DatabaseSettings,
  MONITORING_SETTINGS,
  type MonitoringSettings,
  SERVICE_SETTINGS,
  type ServiceSettings,
  SHUTDOWN_SHARES,
} from '../config/index.js';
import { ERROR_REPORTER, type ErrorReporter, LOGGER, type Logger } from '../logging/index.js';
import { MonitoringModule } from '../monitoring/index.js';
import { ArchivableRegistry } from './archivable.js';
import { BatchedReads } from './batched-reads.js';
import { type CommandListener, CommandMonitor } from './command-monitor.js';
import { type OpenConnection, openConnection } from './connection.js';
import { DatabaseService, OPEN_CONNECTION, STORE } from './database.service.js';
import { openStore, type StoreHandle } from './embedded-store.js';
import { GroupCommit } from './group-commit.js';
import { IndexManager } from './index-manager.js';
import { requireCompleteRestore } from './incomplete-restore.js';
import { CommandTimings } from './monitoring/command-timings.js';
import { DatabaseHealth } from './monitoring/database-health.js';
import { DatabaseMonitoring } from './monitoring/database-monitoring.js';
import { PROCESS_ROLE, ProcessRegistry } from './process-registry.js';
import { ProcessRepository } from './process.repository.js';
import { PROCESS_MODEL, type ProcessRole, processSchema } from './process.schema.js';
import { RawDocuments } from './raw-documents.js';
import { TransactionRunner } from './transaction-runner.js';

/**
 * Closes the connection, then the store. `onApplicationShutdown` is Nest's last phase: by then the HTTP
 * server is closed, and every module has flushed in an earlier phase (`onModuleDestroy`,
 * `beforeApplicationShutdown`).
 */
@Injectable()
class DatabaseCloser implements OnApplicationShutdown {
  constructor(
    @Inject(OPEN_CONNECTION) private readonly opened: OpenConnection,
    @Inject(STORE) private readonly store: StoreHandle,
    private readonly commits: GroupCommit,
    @Inject(SERVICE_SETTINGS) private readonly settings: ServiceSettings,
    private readonly processes: ProcessRegistry,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  async onApplicationShutdown(): Promise<void> {
    await this.commits.drain(this.settings.SHUTDOWN_GRACE_MS * SHUTDOWN_SHARES.writes);
    await this.processes.leave();
    await this.opened.close();
    await this.store.close();
    this.logger.info('database closed');
  }
}

export interface DatabaseOptions {
  /** For measurements: called with each command that is sent to the database. */
  onCommand?: CommandListener | undefined;
  /** The role of this process in the deployment; defaults to `api`. */
  role?: ProcessRole | undefined;
}

/**
 * Provides the shared connection under @nestjs/mongoose's own token, so that `MongooseModule.forFeature` in
 * every module uses it.
 */
@Global()
@Module({})
export class DatabaseModule {
  static forRoot({ onCommand, role = 'api' }: DatabaseOptions = {}): DynamicModule {
    return {
      module: DatabaseModule,
      imports: [MonitoringModule],
      providers: [
        {
          provide: STORE,
          useFactory: (
            settings: DatabaseSettings,
            service: ServiceSettings,
            logger: Logger,
            errors: ErrorReporter,
          ) => openStore(settings, service.DATA_DIR, { logger, errors }),
          inject: [DATABASE_SETTINGS, SERVICE_SETTINGS, LOGGER, ERROR_REPORTER],
        },
        {
          provide: OPEN_CONNECTION,
          useFactory: async (
            store: StoreHandle,
            settings: DatabaseSettings,
            monitoring: MonitoringSettings,
            logger: Logger,
          ) => {
            const commands = onCommand || monitoring.MONITORING === 'on' ? new CommandMonitor() : undefined;
            if (onCommand) commands?.onStart(onCommand);
            try {
              const opened = await openConnection(store.uri, settings, logger, commands);
              if (store.kind === 'mongodb') await requireCompleteRestore(opened);
              return opened;
            } catch (error) {
              await store.close();
              throw error;
            }
          },
          inject: [STORE, DATABASE_SETTINGS, MONITORING_SETTINGS, LOGGER],
        },
        {
          provide: getConnectionToken(),
          useFactory: ({ connection }: OpenConnection) => connection,
          inject: [OPEN_CONNECTION],
        },
        {
          provide: getModelToken(PROCESS_MODEL),
          useFactory: (connection: Connection) => connection.model(PROCESS_MODEL, processSchema),
          inject: [getConnectionToken()],
        },
        { provide: PROCESS_ROLE, useValue: role },
        ProcessRepository,
        ProcessRegistry,
        DatabaseCloser,
        DatabaseService,
        GroupCommit,
        IndexManager,
        TransactionRunner,
        BatchedReads,
        RawDocuments,
        ArchivableRegistry,
        CommandTimings,
        DatabaseHealth,
        DatabaseMonitoring,
      ],
      exports: [
        getConnectionToken(),
        DatabaseService,
        GroupCommit,
        IndexManager,
        ProcessRegistry,
        TransactionRunner,
        BatchedReads,
        RawDocuments,
        ArchivableRegistry,
      ],
    };
  }
}
