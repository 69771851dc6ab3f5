export * from './config.module.js';
export * from './data-dir.js';
export * from './env-example.js';
export * from './environment.js';
export * from './mongo-uri.js';
export * from './settings.js';
export type { Settings } from './settings.schema.js';
export * from './version.js';
export type { AlertLevels } from './setting-definition.js';
