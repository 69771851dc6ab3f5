import { Timestamp } from 'bson';
import type { Namespace } from '../engine/types.js';
import { formatElement, isDoc, isNumeric, toNumber, typeName, type Doc, type Value } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import { parseToken, type StreamPosition } from './resume-token.js';

export type FullDocumentMode = 'default' | 'updateLookup' | 'whenAvailable' | 'required';
export type BeforeChangeMode = 'off' | 'whenAvailable' | 'required';

/** The options of a `$changeStream` stage. */
export interface ChangeStreamOptions {
  scope: StreamScope;
  fullDocument: FullDocumentMode;
  beforeChange: BeforeChangeMode;
  showExpandedEvents: boolean;
  /** Resume after this token. If absent, start now or at `startAt`. */
  after: StreamPosition | undefined;
  startAt: { t: number; i: number } | undefined;
}

/** One collection, all collections of a database, or all databases except the internal ones. */
export type StreamScope =
  { kind: 'collection'; db: string; coll: string } | { kind: 'database'; db: string } | { kind: 'cluster' };

const fullDocumentModes: readonly string[] = ['default', 'updateLookup', 'whenAvailable', 'required'];
const beforeChangeModes: readonly string[] = ['off', 'whenAvailable', 'required'];
/** Accepted without effect: these options apply to sharded clusters and internal collections. */
const flags = ['showMigrationEvents', 'showSystemEvents', 'allowToRunOnConfigDB', 'allowToRunOnSystemNS'];
const known = new Set([
  'fullDocument',
  'fullDocumentBeforeChange',
  'resumeAfter',
  'startAfter',
  'startAtOperationTime',
  'allChangesForCluster',
  'showExpandedEvents',
  ...flags,
]);

/** Whether the database is internal. Change streams never include these databases. */
export const isInternal = (db: string): boolean => db === 'admin' || db === 'local' || db === 'config';

/**
 * Parses the options. Throws MongoDB's errors for invalid options or an invalid position of the stage.
 * `collectionless`: the command runs on a database instead of a collection.
 */
export function changeStreamOptions(
  spec: Value,
  ns: Namespace,
  collectionless: boolean,
): ChangeStreamOptions {
  if (!isDoc(spec)) {
    throw new ServerError(
      6188500,
      `$changeStream must take a nested object but found: ${formatElement('$changeStream', spec).slice(1, -1)}`,
    );
  }
  for (const field of Object.keys(spec)) {
    if (known.has(field)) continue;
    throw new ServerError(40415, `BSON field '$changeStream.${field}' is an unknown field.`);
  }
  for (const flag of flags) boolean(spec, flag);
  const options: ChangeStreamOptions = {
    scope: scopeOf(ns, collectionless, boolean(spec, 'allChangesForCluster')),
    fullDocument: mode(spec, 'fullDocument', fullDocumentModes) as FullDocumentMode,
    beforeChange: mode(spec, 'fullDocumentBeforeChange', beforeChangeModes) as BeforeChangeMode,
    showExpandedEvents: boolean(spec, 'showExpandedEvents'),
    after: undefined,
    startAt: undefined,
  };
  return { ...options, ...startOf(spec) };
}

function startOf(spec: Doc): Pick<ChangeStreamOptions, 'after' | 'startAt'> {
  const resumeAfter = document(spec, 'resumeAfter');
  const startAfter = document(spec, 'startAfter');
  if (resumeAfter && startAfter) {
    throw new ServerError(
      50865,
      "Do not specify both 'resumeAfter' and 'startAfter' in a $changeStream stage",
    );
  }
  const token = resumeAfter ?? startAfter;
  const after = token && parseToken(token);
  const time = given(spec, 'startAtOperationTime');
  if (time !== undefined && !(time instanceof Timestamp))
    throw wrongType('startAtOperationTime', time, 'timestamp');
  if (time && after) {
    throw new ServerError(40674, 'Only one type of resume option is allowed, but multiple were found');
  }
  if (resumeAfter && after?.kind === 'invalidate') {
    throw new ServerError(
      'InvalidResumeToken',
      "Attempting to resume a change stream using 'resumeAfter' is not allowed from an invalidate notification",
    );
  }
  return { after, startAt: time && { t: time.t, i: time.i } };
}

function scopeOf({ db, coll }: Namespace, collectionless: boolean, allChanges: boolean): StreamScope {
  const shown = `${db}.${coll}`;
  if (allChanges && !(db === 'admin' && collectionless)) {
    throw new ServerError(
      'InvalidOptions',
      `A $changeStream with 'allChangesForCluster:true' may only be opened on the 'admin' database, and with no collection name; found ${shown}`,
    );
  }
  if (allChanges) return { kind: 'cluster' };
  if (isInternal(db)) {
    throw new ServerError(
      'InvalidNamespace',
      `$changeStream may not be opened on the internal ${db} database`,
    );
  }
  if (collectionless) return { kind: 'database', db };
  if (coll.startsWith('system.')) {
    throw new ServerError(
      'InvalidNamespace',
      `$changeStream may not be opened on the internal ${shown} collection`,
    );
  }
  return { kind: 'collection', db, coll };
}

const given = (spec: Doc, field: string): Value => (spec[field] === null ? undefined : spec[field]);

const wrongType = (field: string, value: Value, expected: string): ServerError =>
  new ServerError(
    'TypeMismatch',
    `BSON field '$changeStream.${field}' is the wrong type '${typeName(value)}', expected type '${expected}'`,
  );

function document(spec: Doc, field: string): Doc | undefined {
  const value = given(spec, field);
  if (value === undefined || isDoc(value)) return value;
  throw wrongType(field, value, 'object');
}

function boolean(spec: Doc, field: string): boolean {
  const value = given(spec, field);
  if (value === undefined) return false;
  if (typeof value === 'boolean') return value;
  if (isNumeric(value)) return toNumber(value) !== 0;
  throw wrongType(field, value, 'bool');
}

/** Reads an option that is one of `modes`, by default the first. */
function mode(spec: Doc, field: string, modes: readonly string[]): string {
  const value = given(spec, field);
  if (value === undefined) return modes[0]!;
  if (typeof value !== 'string') throw wrongType(field, value, 'string');
  if (modes.includes(value)) return value;
  throw new ServerError(
    'BadValue',
    `Enumeration value '${value}' for field '$changeStream.${field}' is not a valid value.`,
  );
}
