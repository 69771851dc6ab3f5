export {
  type Archivable,
  ArchivableRegistry,
  type DueRoot,
  type ExactRow,
  type RowsToRestore,
} from './archivable.js';
export { BatchedReads, type FindRange, type PointReads } from './batched-reads.js';
export type { CommandEndListener, CommandListener, SentCommand } from './command-monitor.js';
export { databaseNameOf } from './connection.js';
export * from './database.module.js';
export { DatabaseService, type DatabaseState, type DatabaseStats } from './database.service.js';
export { openStore, type StoreHandle } from './embedded-store.js';
export { databaseProblem, DuplicateKeyError, duplicateKeyFields, transactionContention } from './errors.js';
export { type CommittedFlight, GroupCommit, type GroupCommitStats } from './group-commit.js';
export * from './index-manager.js';
export type { CommandFigures, DatabaseSection } from './monitoring/database-monitoring.js';
export { afterCursor, beforeAndAfter, positionBy } from './keyset.js';
export type { PoolListener, PoolStats, PoolUse } from './pool-monitor.js';
export { ProcessRegistry } from './process-registry.js';
export type { ProcessRole } from './process.schema.js';
export {
  decodeExactly,
  encodeExactly,
  type ExactDocument,
  plainOf,
  RawDocuments,
  type RawRow,
  sameBytes,
} from './raw-documents.js';
export { TransactionRunner, type TransactionStats } from './transaction-runner.js';
export { Transactional, TransactionalInterceptor } from './transactional.interceptor.js';
export { type QueryPlan, planOf, shapeOf } from './query-plan.js';
export type { DocumentRef, FieldChanges, GuardedChange, UnitOfWork, UnitWriter } from './unit-of-work.js';
