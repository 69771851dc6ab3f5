import type { CommandContext, OpCounter } from './host.js';
import type { Reply } from './reply.js';

/** One command of the server. */
export interface Command {
  readonly name: string;
  readonly aliases?: readonly string[];
  /**
   * The command's own top-level fields. If given, all others except generic fields are rejected with code
   * 40415.
   */
  readonly fields?: readonly string[];
  readonly adminOnly?: boolean;
  /** Whether it may run in a multi-document transaction. */
  readonly inTransaction?: boolean;
  /** Whether a `txnNumber` without `autocommit` makes it a retryable write. */
  readonly retryable?: boolean;
  /** Whether it may read from a snapshot outside a transaction. */
  readonly snapshotReads?: boolean;
  /** Whether it changes data, so that a write concern that cannot be satisfied is reported. */
  readonly writes?: boolean;
  /** The opcounter that each call increments. Insert, update and delete count their statements instead. */
  readonly counter?: OpCounter;
  run(ctx: CommandContext): Reply | Promise<Reply>;
}

/** Fields that every command accepts. */
export const genericFields: ReadonlySet<string> = new Set([
  '$db',
  '$readPreference',
  '$clusterTime',
  '$audit',
  '$client',
  '$configServerState',
  '$queryOptions',
  '$replData',
  'allowImplicitCollectionCreation',
  'apiDeprecationErrors',
  'apiStrict',
  'apiVersion',
  'autocommit',
  'comment',
  'help',
  'lsid',
  'maxTimeMS',
  'maxTimeMSOpOnly',
  'mayBypassWriteBlocking',
  'rawData',
  'readConcern',
  'serialization_context',
  'startTransaction',
  'stmtId',
  'stmtIds',
  'txnNumber',
  'writeConcern',
]);
