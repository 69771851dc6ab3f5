import type { Command } from '../commands/command.js';
import { isDoc, type Doc, type Value } from '../values/bson.js';
import { ServerError } from '../values/errors.js';

/** The commands of API version 1. */
const versionOne: ReadonlySet<string> = new Set([
  'abortTransaction',
  'aggregate',
  'authenticate',
  'bulkWrite',
  'collMod',
  'commitTransaction',
  'count',
  'create',
  'createIndexes',
  'delete',
  'drop',
  'dropDatabase',
  'dropIndexes',
  'endSessions',
  'explain',
  'find',
  'findAndModify',
  'getMore',
  'hello',
  'insert',
  'isMaster',
  'killCursors',
  'listCollections',
  'listDatabases',
  'listIndexes',
  'ping',
  'refreshSessions',
  'saslContinue',
  'saslStart',
  'update',
]);

/** First stages of a pipeline that API version 1 leaves out. */
const otherStages: ReadonlySet<string> = new Set([
  '$currentOp',
  '$indexStats',
  '$listLocalSessions',
  '$listSessions',
  '$planCacheStats',
  '$search',
  '$searchMeta',
]);

const strictError = (message: string): ServerError =>
  new ServerError(323, message, { codeName: 'APIStrictError' });

/**
 * Checks the fields `apiVersion`, `apiStrict` and `apiDeprecationErrors`. Throws APIVersionError (322) for a version that
 * is not known and APIStrictError (323) for a command or a stage that a strict client must not use.
 */
export function checkStableApi(command: Command, body: Doc): void {
  const { apiVersion, apiStrict, apiDeprecationErrors } = body;
  if (apiVersion === undefined) {
    if (apiStrict === undefined && apiDeprecationErrors === undefined) return;
    const given = apiStrict === undefined ? 'apiDeprecationErrors' : 'apiStrict';
    throw new ServerError(4886600, `Provided ${given} without passing apiVersion`);
  }
  if (apiVersion !== '1') {
    throw new ServerError(322, 'API version must be "1"', { codeName: 'APIVersionError' });
  }
  if (apiStrict !== true) return;
  if (!versionOne.has(command.name)) {
    throw strictError(
      `Provided apiStrict:true, but the command ${command.name} is not in API Version 1. Information on supported commands and migrations in API Version 1 can be found at https://www.mongodb.com/docs/manual/reference/stable-api/`,
    );
  }
  if (command.name === 'aggregate') checkPipeline(body['pipeline']);
}

function checkPipeline(pipeline: Value): void {
  for (const stage of Array.isArray(pipeline) ? pipeline : []) {
    const name = isDoc(stage) ? (Object.keys(stage)[0] ?? '') : '';
    const spec = isDoc(stage) ? stage[name] : undefined;
    if (otherStages.has(name) || (name === '$collStats' && !onlyCounts(spec))) {
      throw strictError(`stage ${name} is not allowed with 'apiStrict: true' in API Version 1`);
    }
  }
}

/** `{ count: {} }`, which drivers estimate the number of documents with. */
const onlyCounts = (spec: Value): boolean =>
  isDoc(spec) && Object.keys(spec).every((field) => field === 'count');
