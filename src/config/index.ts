export {
  MAX_RETENTION_DAYS,
  type RetentionDays,
  type RetentionKind,
  retentionKinds,
} from './archive-settings.js';
export * from './config.module.js';
export * from './data-dir.js';
export * from './env-example.js';
export * from './environment.js';
export * from './mongo-uri.js';
export { type Plan, type PlanLimits, plans } from './plans.js';
export { productionWarnings } from './production-warnings.js';
export * from './settings.js';
export { trustedHops } from './trust-proxy.js';
export type { Settings } from './settings.schema.js';
export * from './version.js';
export type { AlertLevels } from './setting-definition.js';
export { SHUTDOWN_SHARES } from './shutdown-shares.js';
