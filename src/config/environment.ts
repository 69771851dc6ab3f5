import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { loadSettings } from './settings.js';
import type { Settings } from './settings.schema.js';

/**
 * Settings of this process: the environment, and below it the file `.env` in the working directory when there is one.
 * @throws SettingsError with every problem at once
 */
export function settingsFromEnvironment(): Settings {
  const file = resolve('.env');
  if (existsSync(file)) process.loadEnvFile(file);
  return loadSettings(process.env);
}
