import { type DynamicModule, Global, Module } from '@nestjs/common';
import { ERROR_REPORTER, type ErrorReporter, silentReporter } from './error-reporter.js';
import { LOGGER, type Logger } from './logger.js';

/** Provides the process's logger and error reporter to every module. */
@Global()
@Module({})
export class LoggingModule {
  static forRoot(logger: Logger, errors: ErrorReporter = silentReporter): DynamicModule {
    return {
      module: LoggingModule,
      providers: [
        { provide: LOGGER, useValue: logger },
        { provide: ERROR_REPORTER, useValue: errors },
      ],
      exports: [LOGGER, ERROR_REPORTER],
    };
  }
}
