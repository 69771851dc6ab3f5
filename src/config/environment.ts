import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { loadSettings } from './settings.js';
import type { Settings } from './settings.schema.js';

/**
 * Loads the settings of this process from the environment and, with lower precedence, from the file `.env` in
 * the working directory if there is one.
 * @throws SettingsError that lists every problem
 */
export function settingsFromEnvironment(): Settings {
  const file = resolve('.env');
  if (existsSync(file)) process.loadEnvFile(file);
  return loadSettings(process.env);
}
