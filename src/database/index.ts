export { type CommandListener, databaseNameOf } from './connection.js';
export * from './database.module.js';
export { DatabaseService, type DatabaseState, type DatabaseStats } from './database.service.js';
export { openStore, type StoreHandle } from './embedded-store.js';
export { databaseProblem, duplicateKeyFields } from './errors.js';
export * from './index-manager.js';
export type { PoolStats } from './pool-monitor.js';
export { TransactionRunner, type TransactionStats } from './transaction-runner.js';
export { Transactional } from './transactional.interceptor.js';
