import type { FindSpec } from '../engine/types.js';
import { Args, namespaceOf } from './arguments.js';
import type { Command } from './command.js';
import { countThroughView, isView } from './view-reads.js';

/** Reads the query of a count command. A negative limit counts as positive. */
export function countSpec(args: Args): FindSpec {
  const spec: FindSpec = { filter: args.document('query') ?? {} };
  const skip = args.integer('skip');
  const limit = args.integer('limit', Number.MIN_SAFE_INTEGER);
  const hint = args.hint();
  const collation = args.document('collation');
  if (skip) spec.skip = skip;
  if (limit) spec.limit = Math.abs(limit);
  if (hint !== undefined) spec.hint = hint;
  if (collation) spec.collation = collation;
  return spec;
}

export const countCommands: readonly Command[] = [
  {
    name: 'count',
    fields: ['count', 'query', 'limit', 'skip', 'hint', 'collation', 'fields', 'maxTimeMS'],
    counter: 'command',
    async run(ctx) {
      const ns = namespaceOf('count', ctx.db, ctx.body);
      const args = new Args('count', ctx.body);
      const spec = countSpec(args);
      const n = isView(ctx.engine, ns)
        ? await countThroughView(ctx, args, ns, spec)
        : await ctx.engine.count(ns, spec, ctx.op);
      return { n };
    },
  },
];
