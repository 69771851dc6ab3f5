import { createHash } from 'node:crypto';
import type { Namespace } from '../engine/types.js';
import { int } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import { Args, checkDatabaseName, namespaceOf, nsText } from './arguments.js';
import type { ReplyDoc } from './bson-writer.js';
import type { Command } from './command.js';
import type { CommandContext } from './host.js';

function existing(ctx: CommandContext, command: string, message: (ns: string) => string): Namespace {
  const ns = namespaceOf(command, ctx.db, ctx.body);
  if (ctx.engine.collection(ns)) return ns;
  throw new ServerError('NamespaceNotFound', message(nsText(ns)));
}

/** MD5 of a collection's documents in `_id` order. */
async function hashOf(ctx: CommandContext, ns: Namespace): Promise<string> {
  const hash = createHash('md5');
  const cursor = ctx.engine.find(ns, { filter: {}, sort: { _id: int(1) } }, ctx.op);
  try {
    for (let done = false; !done;) {
      const batch = await cursor.next(1_000);
      done = batch.done;
      for (const doc of batch.docs) hash.update(doc);
    }
  } finally {
    cursor.close();
  }
  return hash.digest('hex');
}

const dbHash: Command = {
  name: 'dbHash',
  aliases: ['dbhash'],
  fields: ['dbHash', 'dbhash', 'collections'],
  counter: 'command',
  async run(ctx) {
    checkDatabaseName(ctx.db);
    const startedAt = performance.now();
    const only = new Args('dbHash', ctx.body).array('collections') ?? [];
    const infos = ctx.engine
      .collections(ctx.db, ctx.op)
      .filter(({ ns }) => !ns.coll.startsWith('system.') && (only.length === 0 || only.includes(ns.coll)));
    const whole = createHash('md5');
    const collections: Record<string, string> = {};
    for (const { ns } of infos) {
      collections[ns.coll] = await hashOf(ctx, ns);
      whole.update(collections[ns.coll]!);
    }
    return {
      host: ctx.host.address,
      collections,
      capped: infos.filter(({ options }) => options['capped'] === true).map(({ ns }) => ns.coll),
      uuids: {},
      md5: whole.digest('hex'),
      timeMillis: Math.round(performance.now() - startedAt),
    };
  },
};

/** Indexes are written in the same commit as their documents, so there is nothing to rebuild. */
const reIndex: Command = {
  name: 'reIndex',
  fields: ['reIndex'],
  counter: 'command',
  run(ctx): ReplyDoc {
    const ns = existing(ctx, 'reIndex', () => 'collection does not exist');
    const indexes = (ctx.engine.collection(ns)?.indexes ?? []).map((index) => ({ ...index }));
    return { nIndexesWas: indexes.length, nIndexes: indexes.length, indexes };
  },
};

/** Freed pages are reused, but the file does not shrink. */
const compact: Command = {
  name: 'compact',
  counter: 'command',
  run(ctx): ReplyDoc {
    existing(ctx, 'compact', () => 'collection does not exist');
    return { bytesFreed: 0n };
  },
};

export const maintenanceCommands: readonly Command[] = [dbHash, reIndex, compact];
