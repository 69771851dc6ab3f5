import type { LoggerService } from '@nestjs/common';
import { type DestinationStream, type Logger, type LoggerOptions, pino } from 'pino';
import { createRedactor, plainFields, withoutQuotations } from './redaction.js';
import { currentContext } from './request-context.js';

export type { Logger } from 'pino';

export interface LogSettings {
  /** trace, debug, info, warn, error, fatal or silent. */
  level: string;
  /** Colored, human-readable text instead of JSON lines. */
  pretty: boolean;
  /** Values that no line may contain, in addition to those recognized by format or name. */
  secrets?: readonly string[];
  /** Where lines are written instead of standard output; ignored with `pretty`. */
  destination?: DestinationStream;
}

/**
 * Creates the process's logger: JSON lines, each with request id and tenant. Fields are reduced to plain data
 * without contents (`plainFields`), and secrets are redacted from each finished line.
 */
export function createLogger({ level, pretty, secrets, destination }: LogSettings): Logger {
  const options: LoggerOptions = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }), log: plainFields },
    // plainFields has already converted errors to plain data.
    serializers: { err: (error: unknown) => error },
    hooks: { streamWrite: createRedactor(secrets) },
    mixin: () => {
      const context = currentContext();
      return context
        ? { requestId: context.requestId, ...(context.tenantId && { tenantId: context.tenantId }) }
        : {};
    },
  };
  if (!pretty) return destination ? pino(options, destination) : pino(options);
  return pino({
    ...options,
    transport: {
      target: 'pino-pretty',
      options: { translateTime: 'SYS:HH:MM:ss.l', ignore: 'pid,hostname' },
    },
  });
}

const textOf = (message: unknown): string =>
  typeof message === 'string'
    ? withoutQuotations(message)
    : message instanceof Error
      ? withoutQuotations(message.message)
      : JSON.stringify(plainFields({ message }));

/** Nest passes a stack, or the error in its place. */
const stackOf = (stack: unknown): { stack?: string } =>
  typeof stack === 'string' ? { stack: withoutQuotations(stack) } : {};

/**
 * Writes Nest's own log lines through pino. Routine start-up messages of the framework are logged at `debug`.
 */
export class NestLogger implements LoggerService {
  constructor(private readonly logger: Logger) {}

  log(message: unknown, context?: string): void {
    const isRoutine = /^(InstanceLoader|RoutesResolver|RouterExplorer|NestFactory|NestApplication)$/.test(
      context ?? '',
    );
    this.logger[isRoutine ? 'debug' : 'info']({ context }, textOf(message));
  }
  error(message: unknown, stack?: string, context?: string): void {
    // When a start fails, the framework logs the error and rethrows it to the entry file, which reports it
    // once.
    const rethrown = /^(ExceptionHandler|NestApplication)$/.test(context ?? '');
    this.logger[rethrown ? 'debug' : 'error']({ context, ...stackOf(stack) }, textOf(message));
  }
  warn(message: unknown, context?: string): void {
    this.logger.warn({ context }, textOf(message));
  }
  debug(message: unknown, context?: string): void {
    this.logger.debug({ context }, textOf(message));
  }
  verbose(message: unknown, context?: string): void {
    this.logger.trace({ context }, textOf(message));
  }
  fatal(message: unknown, stack?: string, context?: string): void {
    this.logger.fatal({ context, ...stackOf(stack) }, textOf(message));
  }
}

/** Injection token for the process's logger. */
export const LOGGER = Symbol('LOGGER');
