import type { FindSpec } from '../engine/types.js';
import { isNumeric, toNumber, type Doc } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import { Args, namespaceOf, nsText } from './arguments.js';
import type { Command } from './command.js';
import { firstBatch } from './cursor-commands.js';
import { findThroughView, isView } from './view-reads.js';
import { variablesOf } from './variables.js';

/** Reads the query of a find command. */
export function findSpec(body: Doc): FindSpec {
  const args = new Args('find', body);
  const spec: FindSpec = { filter: args.document('filter') ?? {} };
  const sort = args.document('sort');
  const projection = args.document('projection');
  const skip = args.integer('skip');
  const limit = args.integer('limit');
  const hint = args.hint();
  const collation = args.document('collation');
  const variables = variablesOf(args);
  const min = args.document('min');
  const max = args.document('max');
  if (sort && Object.keys(sort).length > 0) spec.sort = sort;
  if (projection && Object.keys(projection).length > 0) spec.projection = projection;
  if (skip) spec.skip = skip;
  if (limit) spec.limit = limit;
  if (hint !== undefined) spec.hint = hint;
  if (collation) spec.collation = collation;
  if (variables) spec.let = variables;
  if (min && Object.keys(min).length > 0) spec.min = min;
  if (max && Object.keys(max).length > 0) spec.max = max;
  if (args.boolean('returnKey')) spec.returnKey = true;
  if (args.boolean('showRecordId')) spec.showRecordId = true;
  readTailable(args, spec);
  return spec;
}

function readTailable(args: Args, spec: FindSpec): void {
  const tailable = args.boolean('tailable') ?? false;
  const awaitData = args.boolean('awaitData') ?? false;
  if (awaitData && !tailable) {
    throw new ServerError('FailedToParse', "Cannot set 'awaitData' without also setting 'tailable'");
  }
  if (!tailable) return;
  if (args.boolean('singleBatch')) {
    throw new ServerError('FailedToParse', "Cannot use tailable option with the 'singleBatch' option");
  }
  const { sort } = spec;
  if (
    sort &&
    (Object.keys(sort).length > 1 || !isNumeric(sort['$natural']) || toNumber(sort['$natural']) !== 1)
  ) {
    throw new ServerError('BadValue', 'cannot use tailable option with a sort other than {$natural: 1}');
  }
  spec.tailable = true;
  if (awaitData) spec.awaitData = true;
}

export const findFields: readonly string[] = [
  'find',
  'filter',
  'sort',
  'projection',
  'hint',
  'skip',
  'limit',
  'batchSize',
  'singleBatch',
  'max',
  'min',
  'returnKey',
  'showRecordId',
  'tailable',
  'oplogReplay',
  'noCursorTimeout',
  'awaitData',
  'allowPartialResults',
  'collation',
  'allowDiskUse',
  'let',
];

export const findCommands: readonly Command[] = [
  {
    name: 'find',
    snapshotReads: true,
    fields: findFields,
    inTransaction: true,
    counter: 'query',
    async run(ctx) {
      const ns = namespaceOf('find', ctx.db, ctx.body);
      const args = new Args('find', ctx.body);
      const spec = findSpec(ctx.body);
      const source = isView(ctx.engine, ns)
        ? findThroughView(ctx, args, ns, spec)
        : ctx.engine.find(ns, spec, ctx.op);
      return firstBatch(ctx, ns, source, {
        batchSize: args.integer('batchSize'),
        singleBatch: args.boolean('singleBatch') ?? false,
        noTimeout: args.boolean('noCursorTimeout') ?? false,
        tailable: spec.tailable ?? false,
        context: `Executor error during find command: ${nsText(ns)}`,
      });
    },
  },
];
