import { stackOf, withTimeout } from '../common/index.js';
import {
  developmentAdminKey,
  secretsOf,
  settingsFromEnvironment,
  SettingsError,
  type Settings,
  StartupError,
} from '../config/index.js';
import { createLogger, type ErrorReporter, type Logger, REPORT_FLUSH_MS } from '../logging/index.js';
import { onEndingSignal } from './ending-signals.js';

export interface ProcessContext {
  settings: Settings;
  logger: Logger;
  errors: ErrorReporter;
  adminApiKey: string;
  /** Where the admin key comes from: set by the operator, or made for development and kept in this file. */
  adminKeyFile?: string;
}

const adminKeyOf = ({ service }: Settings): { key: string; file?: string } =>
  service.ADMIN_API_KEY === undefined
    ? developmentAdminKey(service.DATA_DIR)
    : { key: service.ADMIN_API_KEY };

/** @throws SettingsError, StartupError */
export function prepareProcess(errors: ErrorReporter): ProcessContext {
  const settings = settingsFromEnvironment();
  const { service } = settings;
  const { key, file } = adminKeyOf(settings);
  const logger = createLogger({
    level: service.LOG_LEVEL,
    pretty: service.LOG_PRETTY ?? (service.NODE_ENV !== 'production' && process.stdout.isTTY),
    secrets: [key, ...secretsOf(settings)],
  });
  return { settings, logger, errors, adminApiKey: key, ...(file !== undefined && { adminKeyFile: file }) };
}

const isNodeError = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && 'code' in error;

/** One clear line for what an operator can mend; the whole error for what is our own fault. */
export function explainFailure(
  error: unknown,
  settings?: { HOST: string; PORT: number; portName: string },
): string {
  if (error instanceof SettingsError || error instanceof StartupError) return error.message;
  if (isNodeError(error) && settings) {
    const { HOST, PORT, portName } = settings;
    if (error.code === 'EADDRINUSE')
      return `Port ${PORT} on ${HOST} is in use. Stop the program that uses it, or set ${portName} to another port (0 takes a free one).`;
    if (error.code === 'EACCES')
      return `Port ${PORT} may not be opened by this user. Set ${portName} to a port above 1023.`;
    if (error.code === 'EADDRNOTAVAIL' || error.code === 'ENOTFOUND')
      return `HOST=${HOST} is not an address of this machine. Set HOST to one that is.`;
  }
  return `Colloquy could not start: ${stackOf(error)}`;
}

type Ending = Pick<ProcessContext, 'logger' | 'errors'>;

/**
 * On SIGTERM, SIGINT or SIGHUP runs `close` once and exits with 0; with 1 when it fails or takes longer than `graceMs`. Error reports that are
 * still to be sent get `REPORT_FLUSH_MS` after that. Another signal, a second or more later, exits at once.
 */
export function shutDownOnSignals(
  close: () => Promise<void>,
  graceMs: number,
  { logger, errors }: Ending,
): void {
  const end = async (): Promise<0 | 1> => {
    try {
      const outcome = await withTimeout(close(), graceMs, () => 'late' as const);
      if (outcome !== 'late') {
        logger.info('stopped');
        return 0;
      }
      logger.error({ graceMs }, 'work in flight did not end within SHUTDOWN_GRACE_MS');
    } catch (error) {
      const errorId = errors.report(error, { tags: { during: 'shutdown' } });
      logger.error({ err: error, errorId }, 'shutdown failed');
    }
    return 1;
  };
  onEndingSignal((signal) => {
    logger.info({ signal, graceMs }, 'shutting down');
    void end().then(async (code) => {
      await errors.flush(REPORT_FLUSH_MS);
      process.exit(code);
    });
  });
}

/**
 * Errors that nothing handled: the state is unknown, so the process says why and ends with code 1, once the report is sent or `REPORT_FLUSH_MS` are
 * over. Those that follow meanwhile are logged.
 */
export function exitOnUnhandledErrors({ logger, errors }: Ending): void {
  let isEnding = false;
  const endWith = (kind: string, error: unknown): void => {
    const errorId = errors.report(error, { level: 'fatal', tags: { kind } });
    logger.fatal({ err: error, errorId, kind }, 'unhandled error');
    if (isEnding) return;
    isEnding = true;
    void errors.flush(REPORT_FLUSH_MS).then(() => process.exit(1));
  };
  process.on('uncaughtException', (error) => {
    endWith('uncaughtException', error);
  });
  process.on('unhandledRejection', (reason) => {
    endWith('unhandledRejection', reason);
  });
}
