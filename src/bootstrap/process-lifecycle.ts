import { stackOf, withTimeout } from '../common/index.js';
import {
  developmentAdminKey,
  productionWarnings,
  secretsOf,
  settingsFromEnvironment,
  SettingsError,
  type Settings,
  StartupError,
} from '../config/index.js';
import { createLogger, type ErrorReporter, type Logger, REPORT_FLUSH_MS } from '../logging/index.js';
import { onShutdownSignal } from './shutdown-signals.js';

export interface ProcessContext {
  settings: Settings;
  logger: Logger;
  errors: ErrorReporter;
  /** The file with the admin key generated for development; undefined when the operator set ADMIN_API_KEY. */
  adminKeyFile?: string;
}

/**
 * Prepares settings, logger and error reporter of a process that serves HTTP. Outside production, a missing
 * ADMIN_API_KEY is replaced by a generated key that is stored in DATA_DIR.
 * @throws SettingsError, StartupError
 */
export function prepareProcess(errors: ErrorReporter): ProcessContext {
  // Files that this process creates hold the data of tenants, so they are for its user alone.
  process.umask(0o077);
  const given = settingsFromEnvironment();
  const made =
    given.service.ADMIN_API_KEY === undefined ? developmentAdminKey(given.service.DATA_DIR) : undefined;
  const service = made ? { ...given.service, ADMIN_API_KEY: made.key } : given.service;
  const settings = { ...given, service };
  const logger = createLogger({
    level: service.LOG_LEVEL,
    pretty: service.LOG_PRETTY ?? (service.NODE_ENV !== 'production' && process.stdout.isTTY),
    secrets: secretsOf(settings),
  });
  for (const warning of productionWarnings(settings)) logger.warn(warning);
  return { settings, logger, errors, ...(made && { adminKeyFile: made.file }) };
}

const isNodeError = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && 'code' in error;

/**
 * Returns one clear line for errors that an operator can fix, and the whole error with its stack for all
 * others.
 */
export function explainFailure(
  error: unknown,
  settings?: { HOST: string; PORT: number; portName: string },
): string {
  if (error instanceof SettingsError || error instanceof StartupError) return error.message;
  if (isNodeError(error) && settings) {
    const { HOST, PORT, portName } = settings;
    if (error.code === 'EADDRINUSE')
      return `Port ${PORT} on ${HOST} is in use. Stop the program that uses it, or set ${portName} to another port (0 selects a free one).`;
    if (error.code === 'EACCES')
      return `This user is not permitted to open port ${PORT}. Set ${portName} to a port above 1023.`;
    if (error.code === 'EADDRNOTAVAIL' || error.code === 'ENOTFOUND')
      return `HOST=${HOST} is not an address of this machine. Set HOST to one that is.`;
  }
  return `Colloquy could not start: ${stackOf(error)}`;
}

type Reporters = Pick<ProcessContext, 'logger' | 'errors'>;

/**
 * On SIGTERM, SIGINT or SIGHUP, runs `close` once and exits with code 0, or with 1 when it fails or takes
 * longer than `graceMs`. Pending error reports then get `REPORT_FLUSH_MS` to be sent. Another signal more
 * than a second later exits immediately.
 */
export function shutDownOnSignals(
  close: () => Promise<void>,
  graceMs: number,
  { logger, errors }: Reporters,
): void {
  const end = async (): Promise<0 | 1> => {
    try {
      const outcome = await withTimeout(close(), graceMs, () => 'late' as const);
      if (outcome !== 'late') {
        logger.info('stopped');
        return 0;
      }
      logger.error({ graceMs }, 'work in progress did not finish within SHUTDOWN_GRACE_MS');
    } catch (error) {
      const errorId = errors.report(error, { tags: { during: 'shutdown' } });
      logger.error({ err: error, errorId }, 'shutdown failed');
    }
    return 1;
  };
  onShutdownSignal((signal) => {
    logger.info({ signal, graceMs }, 'shutting down');
    void end().then(async (code) => {
      await errors.flush(REPORT_FLUSH_MS);
      process.exit(code);
    });
  });
}

/**
 * Handles errors that nothing else handled. The state is unknown then, so the process logs and reports the
 * error and exits with code 1, once the report is sent or `REPORT_FLUSH_MS` have passed. Further errors in
 * the meantime are only logged and reported.
 */
export function exitOnUnhandledErrors({ logger, errors }: Reporters): void {
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
