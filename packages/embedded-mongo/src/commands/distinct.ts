import { Args, namespaceOf } from './arguments.js';
import type { FindSpec } from '../engine/types.js';
import { decode, docSize, encode, type Value } from '../values/bson.js';
import { parseCollation } from '../values/compare.js';
import { ServerError } from '../values/errors.js';
import { encodeKey } from '../values/key.js';
import { getPath } from '../values/path.js';
import type { Command } from './command.js';
import type { CommandContext } from './host.js';
import { findThroughView, isView } from './view-reads.js';

const maxReplyBytes = 16 * 1024 * 1024;

export function distinctSpec(args: Args): FindSpec {
  const spec: FindSpec = { filter: args.document('query') ?? {} };
  const collation = args.document('collation');
  const hint = args.hint();
  if (collation) spec.collation = collation;
  if (hint !== undefined) spec.hint = hint;
  return spec;
}

async function distinctValues(ctx: CommandContext, args: Args): Promise<Value[]> {
  const path = args.required('key', args.string('key'));
  if (path === '' || path.includes('\0')) {
    throw new ServerError('BadValue', "Argument to 'key' must be a non-empty field path");
  }
  const spec = distinctSpec(args);
  const ns = namespaceOf('distinct', ctx.db, ctx.body);
  const collation = parseCollation(spec.collation ?? ctx.engine.view(ns)?.collation);
  const cursor = isView(ctx.engine, ns)
    ? findThroughView(ctx, args, ns, spec)
    : ctx.engine.find(ns, spec, ctx.op);
  const found = new Map<string, Value>();
  try {
    for (let done = false; !done;) {
      const batch = await cursor.next(1_000);
      done = batch.done;
      for (const bytes of batch.docs) {
        for (const reached of getPath(decode(bytes), path)) {
          for (const value of Array.isArray(reached) ? reached : [reached]) {
            if (value === undefined) continue;
            const key = Buffer.from(encodeKey([value], [1], collation)).toString('latin1');
            if (!found.has(key)) found.set(key, value);
          }
        }
      }
    }
  } finally {
    cursor.close();
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value);
}

export const distinctCommands: readonly Command[] = [
  {
    name: 'distinct',
    snapshotReads: true,
    fields: ['distinct', 'key', 'query', 'collation', 'hint'],
    inTransaction: true,
    counter: 'command',
    async run(ctx) {
      const values = await distinctValues(ctx, new Args('distinct', ctx.body));
      if (docSize(encode({ values })) > maxReplyBytes)
        throw new ServerError(17217, 'distinct too big, 16mb cap');
      return { values };
    },
  },
];
