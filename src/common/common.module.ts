import { type DynamicModule, Global, Module } from '@nestjs/common';
import { LOGGER, type Logger } from './logger.js';

/** Gives the process's logger to every room. */
@Global()
@Module({})
export class CommonModule {
  static forRoot(logger: Logger): DynamicModule {
    return { module: CommonModule, providers: [{ provide: LOGGER, useValue: logger }], exports: [LOGGER] };
  }
}
