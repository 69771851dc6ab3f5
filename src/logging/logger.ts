import type { LoggerService } from '@nestjs/common';
import { type DestinationStream, type Logger, type LoggerOptions, pino } from 'pino';
import { createRedactor, plainFields, withoutQuotations } from './redaction.js';
import { currentContext } from './request-context.js';

export type { Logger } from 'pino';

export interface LogSettings {
  /** trace, debug, info, warn, error, fatal or silent. */
  level: string;
  /** Coloured text for people instead of JSON lines. */
  pretty: boolean;
  /** Values that no line may show, besides what is known by its form or name. */
  secrets?: readonly string[];
  /** Where lines go instead of standard output; not with `pretty`. */
  destination?: DestinationStream;
}

/**
 * The process's logger: JSON lines with request id and tenant on each. Members are reduced to plain data without contents
 * (`plainFields`), and each finished line is searched for secrets.
 */
export function createLogger({ level, pretty, secrets, destination }: LogSettings): Logger {
  const options: LoggerOptions = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }), log: plainFields },
    // plainFields has made plain data of errors already.
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

/** Nest passes a stack, or in its place the error. */
const stackOf = (stack: unknown): { stack?: string } =>
  typeof stack === 'string' ? { stack: withoutQuotations(stack) } : {};

/** Nest's own log lines through pino. Routine start-up chatter of the framework goes to `debug`. */
export class NestLogger implements LoggerService {
  constructor(private readonly logger: Logger) {}

  log(message: unknown, context?: string): void {
    const chatter = /^(InstanceLoader|RoutesResolver|RouterExplorer|NestFactory|NestApplication)$/.test(
      context ?? '',
    );
    this.logger[chatter ? 'debug' : 'info']({ context }, textOf(message));
  }
  error(message: unknown, stack?: string, context?: string): void {
    // A failed start: the framework logs the error and throws it on to the entry, which says it once and clearly.
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

/** Injection token of the process's logger. */
export const LOGGER = Symbol('LOGGER');
