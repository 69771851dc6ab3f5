import { isMainThread } from 'node:worker_threads';
import type { ErrorReporter } from './logging/index.js';

/**
 * Sets up error reports before anything else of the program runs: `node --import ./dist/src/instrument.js dist/src/main.js`. The entries import this
 * module as well, which gives them the same reporter, or sets it up where `--import` was left out.
 */
async function start(): Promise<ErrorReporter> {
  const { settingsFromEnvironment, SettingsError } = await import('./config/index.js');
  const { startErrorReports } = await import('./monitoring/index.js');
  try {
    return await startErrorReports(settingsFromEnvironment());
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    // The entry reads the settings as well, and says what is wrong with them.
    const { silentReporter } = await import('./logging/index.js');
    return silentReporter;
  }
}

// Worker threads inherit `--import`; those of the embedded store report through the thread that started them, and need none of this.
const started = isMainThread ? await start() : undefined;

/** The error reporter of this process. */
export const processErrors = (): ErrorReporter => {
  if (started === undefined) throw new Error('Errors are reported by the main thread.');
  return started;
};
