import { isMainThread } from 'node:worker_threads';
import type { ErrorReporter } from './logging/index.js';

/**
 * Sets up error reports before the rest of the program runs: `node --import ./dist/src/instrument.js
 * dist/src/main.js`. The entry files also import this module. They then share the reporter, or set it up
 * themselves if `--import` was omitted.
 */
async function start(): Promise<ErrorReporter> {
  const { settingsFromEnvironment, SettingsError } = await import('./config/index.js');
  const { startErrorReports } = await import('./monitoring/index.js');
  try {
    return await startErrorReports(settingsFromEnvironment());
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    // The entry file reads the settings as well, and reports what is wrong with them.
    const { silentReporter } = await import('./logging/index.js');
    return silentReporter;
  }
}

// Worker threads inherit `--import`. Those of the embedded store report errors through the main thread, so
// they skip this.
const started = isMainThread ? await start() : undefined;

/** The error reporter of this process. */
export const processErrors = (): ErrorReporter => {
  if (started === undefined) throw new Error('Only the main thread reports errors.');
  return started;
};
