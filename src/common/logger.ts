import type { LoggerService } from '@nestjs/common';
import { pino, type Logger, type LoggerOptions } from 'pino';
import { currentContext } from './request-context.js';

export type { Logger } from 'pino';

export interface LogSettings {
  /** trace, debug, info, warn, error, fatal or silent. */
  level: string;
  /** Coloured text for people instead of JSON lines. */
  pretty: boolean;
}

/** The process's logger: JSON lines with request id and tenant on each; keys and message contents are never passed to it. */
export function createLogger({ level, pretty }: LogSettings): Logger {
  const options: LoggerOptions = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: {
      paths: ['req.headers.authorization', 'headers.authorization', 'apiKey', '*.apiKey'],
      censor: '[redacted]',
    },
    mixin: () => {
      const context = currentContext();
      return context
        ? { requestId: context.requestId, ...(context.tenantId && { tenantId: context.tenantId }) }
        : {};
    },
  };
  if (!pretty) return pino(options);
  return pino({
    ...options,
    transport: {
      target: 'pino-pretty',
      options: { translateTime: 'SYS:HH:MM:ss.l', ignore: 'pid,hostname' },
    },
  });
}

/** Nest's own log lines through pino. Routine start-up chatter of the framework goes to `debug`. */
export class NestLogger implements LoggerService {
  constructor(private readonly logger: Logger) {}

  log(message: unknown, context?: string): void {
    const chatter = /^(InstanceLoader|RoutesResolver|RouterExplorer|NestFactory|NestApplication)$/.test(
      context ?? '',
    );
    this.logger[chatter ? 'debug' : 'info']({ context }, String(message));
  }
  error(message: unknown, stack?: string, context?: string): void {
    // A failed start: the framework logs the error and throws it on to the entry, which says it once and clearly.
    const rethrown = /^(ExceptionHandler|NestApplication)$/.test(context ?? '');
    this.logger[rethrown ? 'debug' : 'error']({ context, stack }, String(message));
  }
  warn(message: unknown, context?: string): void {
    this.logger.warn({ context }, String(message));
  }
  debug(message: unknown, context?: string): void {
    this.logger.debug({ context }, String(message));
  }
  verbose(message: unknown, context?: string): void {
    this.logger.trace({ context }, String(message));
  }
  fatal(message: unknown, stack?: string, context?: string): void {
    this.logger.fatal({ context, stack }, String(message));
  }
}

/** Injection token of the process's logger. */
export const LOGGER = Symbol('LOGGER');
