import { Timestamp } from 'bson';
import { toBigInt } from '../commands/arguments.js';
import { genericFields, type Command } from '../commands/command.js';
import { sessionKey } from '../commands/session-commands.js';
import { isDoc, toNumber, typeName, isNumeric, type Doc } from '../values/bson.js';
import { ServerError, unsupported } from '../values/errors.js';

/** The generic options of a command. */
export interface RequestOptions {
  lsid: string | undefined;
  txnNumber: bigint | undefined;
  /** Whether it belongs to a multi-document transaction. */
  inTransaction: boolean;
  startTransaction: boolean;
  durable: boolean;
  /** Whether the write concern requires more nodes than the single one. */
  unsatisfiableWriteConcern: boolean;
  maxTimeMs: number | undefined;
  /** The minimum time of a read. Undefined outside causally consistent sessions. */
  afterClusterTime: Timestamp | undefined;
  /**
   * Set for snapshot reads outside a transaction. `at` is the requested time, or undefined for the current
   * one.
   */
  snapshot: { at: Timestamp | undefined } | undefined;
}

const readConcernLevels = new Set(['local', 'available', 'majority', 'linearizable', 'snapshot']);
const maxInt32 = 0x7fffffff;

const invalid = (message: string): ServerError => new ServerError('InvalidOptions', message);

/** Throws 40415 for an unknown field, and Unauthorized if the command requires the admin database. */
export function checkShape(command: Command, name: string, db: string, body: Doc): void {
  if (command.adminOnly && db !== 'admin') {
    throw new ServerError('Unauthorized', `${name} may only be run against the admin database.`);
  }
  if (!command.fields) return;
  for (const field of Object.keys(body)) {
    if (!genericFields.has(field) && !command.fields.includes(field)) {
      throw new ServerError(40415, `BSON field '${name}.${field}' is an unknown field.`);
    }
  }
}

export function readOptions(command: Command, body: Doc): RequestOptions {
  // Drivers configured for the stable API send its version with every command. This is accepted unless they
  // require strict checks.
  if (body['apiStrict'] === true) throw unsupported('apiStrict');
  const lsid = body['lsid'] === undefined ? undefined : sessionKey(body['lsid']);
  const txnNumber = body['txnNumber'] === undefined ? undefined : toBigInt(body['txnNumber']);
  const { autocommit } = body;
  const startTransaction = body['startTransaction'] === true;
  const inTransaction = autocommit === false;
  if (txnNumber !== undefined && lsid === undefined)
    throw invalid('Transaction number requires a session ID to also be specified');
  if (autocommit === true) throw invalid('Specifying autocommit=true is not allowed.');
  if (inTransaction && txnNumber === undefined)
    throw invalid("'autocommit' field requires a transaction number to also be specified");
  if (startTransaction && !inTransaction)
    throw invalid("'startTransaction' field requires 'autocommit' field to also be specified");
  if (txnNumber !== undefined && !inTransaction && !command.retryable) {
    throw new ServerError(
      50768,
      "This command cannot be run with a transaction number unless 'autocommit' is false",
    );
  }
  const ending = command.name === 'commitTransaction' || command.name === 'abortTransaction';
  const reading = readConcern(command, body, inTransaction, startTransaction);
  if (inTransaction && !ending && isDoc(body['writeConcern'])) {
    throw invalid('writeConcern is not allowed within a multi-statement transaction');
  }
  return {
    lsid,
    txnNumber,
    inTransaction,
    startTransaction,
    ...writeConcern(body),
    maxTimeMs: maxTime(body),
    ...reading,
  };
}

type Reading = Pick<RequestOptions, 'afterClusterTime' | 'snapshot'>;

const noReading: Reading = { afterClusterTime: undefined, snapshot: undefined };

function readConcern(command: Command, body: Doc, inTransaction: boolean, starting: boolean): Reading {
  const { readConcern: given } = body;
  // A getMore uses the read concern of its cursor.
  if (given === undefined || command.name === 'getMore') return noReading;
  if (!isDoc(given)) {
    throw new ServerError(
      'TypeMismatch',
      `"readConcern" had the wrong type. Expected object, found ${typeName(given)}`,
    );
  }
  const { level } = given;
  if (level !== undefined && (typeof level !== 'string' || !readConcernLevels.has(level))) {
    throw new ServerError(
      'FailedToParse',
      "readConcern.level must be either 'local', 'majority', 'linearizable', 'available', or 'snapshot'",
    );
  }
  if (inTransaction && !starting && level !== undefined) {
    throw invalid('Only the first command in a transaction may specify a readConcern');
  }
  const afterClusterTime = timeOf(given, 'afterClusterTime');
  const at = timeOf(given, 'atClusterTime');
  if (at && level !== 'snapshot')
    throw invalid('atClusterTime field can be set only if level is equal to snapshot');
  if (at && afterClusterTime)
    throw invalid('Specifying both afterClusterTime and atClusterTime is not allowed');
  if (afterClusterTime && (level === 'linearizable' || level === 'available')) {
    throw invalid('afterClusterTime field can be set only if level is equal to majority, local, or snapshot');
  }
  if (level !== 'snapshot' || inTransaction) return { afterClusterTime, snapshot: undefined };
  if (!command.snapshotReads) {
    throw invalid(
      `Command ${command.name} does not support { readConcern: { level: "snapshot", provenance: "clientSupplied" } } :: caused by :: read concern not supported`,
    );
  }
  return { afterClusterTime, snapshot: { at } };
}

function timeOf(concern: Doc, field: string): Timestamp | undefined {
  const value = concern[field];
  if (value === undefined || value instanceof Timestamp) return value;
  throw new ServerError(
    'TypeMismatch',
    `BSON field 'readConcern.${field}' is the wrong type '${typeName(value)}', expected type 'timestamp'`,
  );
}

/** Without a write concern, a write is acknowledged as for a majority: when it is on disk. */
function writeConcern(body: Doc): { durable: boolean; unsatisfiableWriteConcern: boolean } {
  const given = body['writeConcern'];
  if (given === undefined) return { durable: true, unsatisfiableWriteConcern: false };
  if (!isDoc(given)) {
    throw new ServerError(
      'TypeMismatch',
      `BSON field 'writeConcern' is the wrong type '${typeName(given)}', expected type 'object'`,
    );
  }
  const { w, j } = given;
  if (typeof w === 'string' && w !== 'majority') {
    throw new ServerError(79, `No write concern mode named '${w}' found in replica set configuration`, {
      codeName: 'UnknownReplWriteConcern',
    });
  }
  const nodes = isNumeric(w) ? toNumber(w) : undefined;
  if (nodes !== undefined && (nodes < 0 || nodes > 50)) {
    throw new ServerError(
      'FailedToParse',
      'w has to be a non-negative number and not greater than 50; found: ' + nodes,
    );
  }
  return {
    durable: j === true || nodes === undefined,
    unsatisfiableWriteConcern: nodes !== undefined && nodes > 1,
  };
}

function maxTime(body: Doc): number | undefined {
  const given = body['maxTimeMS'];
  if (given === undefined) return undefined;
  const value = isNumeric(given) ? toNumber(given) : NaN;
  if (!Number.isInteger(value) || value < 0 || value > maxInt32) {
    throw new ServerError('BadValue', `maxTimeMS must be an integer from 0 to ${maxInt32}`);
  }
  return value === 0 ? undefined : value;
}
