import type { FindAndModifySpec } from '../engine/types.js';
import { ServerError } from '../values/errors.js';
import { Args, namespaceOf } from './arguments.js';
import { RawDocument, type ReplyDoc } from './bson-writer.js';
import type { Command } from './command.js';
import type { CommandContext } from './host.js';
import { updateValue } from './update.js';
import { variablesOf } from './variables.js';

/** Reads the command and rejects invalid combinations of options. */
export function findAndModifySpec(args: Args): FindAndModifySpec {
  const remove = args.boolean('remove') ?? false;
  const returnNew = args.boolean('new') ?? false;
  const upsert = args.boolean('upsert') ?? false;
  const hasUpdate = args.has('update');
  const refuse = (message: string): never => {
    throw new ServerError('FailedToParse', message);
  };
  if (remove && hasUpdate) refuse('Cannot specify both an update and remove=true');
  if (remove && upsert) refuse('Cannot specify both upsert=true and remove=true ');
  if (remove && returnNew) {
    refuse("Cannot specify both new=true and remove=true; 'remove' always returns the deleted document");
  }
  if (!remove && !hasUpdate) refuse('Either an update or remove=true must be specified');
  const spec: FindAndModifySpec = { filter: args.document('query') ?? {}, remove, upsert, returnNew };
  if (hasUpdate) spec.update = updateValue(args, 'update');
  const sort = args.document('sort');
  const fields = args.document('fields');
  const arrayFilters = args.documents('arrayFilters');
  const collation = args.document('collation');
  const hint = args.hint();
  const variables = variablesOf(args);
  if (sort && Object.keys(sort).length > 0) spec.sort = sort;
  if (fields && Object.keys(fields).length > 0) spec.fields = fields;
  if (arrayFilters) spec.arrayFilters = arrayFilters;
  if (collation) spec.collation = collation;
  if (hint !== undefined) spec.hint = hint;
  if (variables) spec.let = variables;
  return spec;
}

async function run(ctx: CommandContext): Promise<ReplyDoc> {
  const ns = namespaceOf(ctx.name, ctx.db, ctx.body);
  const spec = findAndModifySpec(new Args('findAndModify', ctx.body));
  ctx.host.countOps(spec.remove ? 'delete' : 'update', 1);
  const result = await ctx.engine.findAndModify(ns, spec, ctx.op);
  return {
    lastErrorObject: {
      n: result.n,
      updatedExisting: spec.remove ? undefined : (result.updatedExisting ?? false),
      upserted: result.upsertedId,
    },
    value: result.value ? new RawDocument(result.value) : null,
  };
}

export const findAndModifyCommands: readonly Command[] = [
  {
    name: 'findAndModify',
    aliases: ['findandmodify'],
    fields: [
      'findAndModify',
      'findandmodify',
      'query',
      'sort',
      'remove',
      'update',
      'new',
      'fields',
      'upsert',
      'bypassDocumentValidation',
      'collation',
      'arrayFilters',
      'hint',
      'let',
    ],
    inTransaction: true,
    retryable: true,
    writes: true,
    run,
  },
];
