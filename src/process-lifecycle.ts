import { setTimeout as delay } from 'node:timers/promises';
import { createLogger, type Logger } from './common/index.js';
import {
  developmentAdminKey,
  settingsFromEnvironment,
  SettingsError,
  type Settings,
  StartupError,
} from './config/index.js';

export interface ProcessContext {
  settings: Settings;
  logger: Logger;
  adminApiKey: string;
  /** Where the admin key comes from: set by the operator, or made for development and kept in this file. */
  adminKeyFile?: string;
}

/** @throws SettingsError, StartupError */
export function prepareProcess(): ProcessContext {
  const settings = settingsFromEnvironment();
  const { service } = settings;
  const pretty = service.LOG_PRETTY ?? (service.NODE_ENV !== 'production' && process.stdout.isTTY);
  const logger = createLogger({ level: service.LOG_LEVEL, pretty });
  if (service.ADMIN_API_KEY !== undefined) return { settings, logger, adminApiKey: service.ADMIN_API_KEY };
  const { key, file } = developmentAdminKey(service.DATA_DIR);
  return { settings, logger, adminApiKey: key, adminKeyFile: file };
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
  return `Colloquy could not start: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
}

/** Ctrl-C under `npm start` sends SIGINT twice: from the terminal, and once more from npm. */
const SAME_KEYSTROKE_MS = 1000;

/**
 * On SIGTERM, SIGINT or SIGHUP runs `close` once and exits with 0; with 1 when it fails or takes longer than `graceMs`. Another
 * signal, a second or more later, exits at once.
 */
export function shutDownOnSignals(close: () => Promise<void>, graceMs: number, logger: Logger): void {
  let closingSince: number | undefined;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (closingSince !== undefined) {
      if (performance.now() - closingSince > SAME_KEYSTROKE_MS) process.exit(1);
      return;
    }
    closingSince = performance.now();
    logger.info({ signal, graceMs }, 'shutting down');
    const tooLate = delay(graceMs, 'late' as const, { ref: false });
    void Promise.race([close(), tooLate]).then(
      (outcome) => {
        if (outcome === 'late')
          logger.error({ graceMs }, 'work in flight did not end within SHUTDOWN_GRACE_MS');
        else logger.info('stopped');
        process.exit(outcome === 'late' ? 1 : 0);
      },
      (error: unknown) => {
        logger.error({ err: error }, 'shutdown failed');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  process.on('SIGHUP', onSignal);
}

/** Errors that nothing handled: the state is unknown, so the process says why and ends. */
export function exitOnUnhandledErrors(logger: Logger): void {
  const end = (error: unknown): void => {
    logger.fatal({ err: error }, 'unhandled error');
    process.exit(1);
  };
  process.on('uncaughtException', end);
  process.on('unhandledRejection', end);
}
