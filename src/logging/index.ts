export { LoggingModule } from './logging.module.js';
export {
  type ErrorReporter,
  REPORT_FLUSH_MS,
  ERROR_REPORTER,
  createErrorId,
  type ReportDetails,
  silentReporter,
  type ReportLevel,
} from './error-reporter.js';
export { type Logger, NestLogger, createLogger, LOGGER } from './logger.js';
export {
  setRequestContextMode,
  contextOf,
  REQUEST_CONTEXT,
  type RequestContext,
  runInContext,
  setContextOf,
  currentContext,
} from './request-context.js';
export { withoutQuotations, createRedactor, type Redactor } from './redaction.js';
