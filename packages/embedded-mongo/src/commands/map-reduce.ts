import { MemoryBudget } from '../aggregate/memory.js';
import { merge, out } from '../aggregate/output.js';
import { batched, collect } from '../aggregate/stream.js';
import { valueKey } from '../aggregate/value-key.js';
import type { FindSpec, Namespace } from '../engine/types.js';
import { codeText } from '../expression/function.js';
import {
  javaScriptDisabled,
  type JavaScriptAnswer,
  type JavaScriptCall,
  type JavaScriptRunner,
} from '../expression/javascript.js';
import { decode, isDoc, isNumeric, toNumber, typeName, type Doc, type Value } from '../values/bson.js';
import { compareValues } from '../values/compare.js';
import { ServerError } from '../values/errors.js';
import { pipelineContext } from './aggregate.js';
import { Args, namespaceOf } from './arguments.js';
import type { Command } from './command.js';
import type { CommandContext } from './host.js';
import type { Reply } from './reply.js';

/** Documents mapped, and keys reduced, by one call of the sandbox. */
const batchSize = 100;
const batchBytes = 4 * 1024 * 1024;

type Target = { mode: 'inline' } | { mode: 'replace' | 'merge' | 'reduce'; ns: Namespace };

function targetOf(value: Value, db: string): Target {
  if (typeof value === 'string') return { mode: 'replace', ns: { db, coll: value } };
  if (!isDoc(value)) throw new ServerError(13606, "'out' has to be a string or an object");
  const inline = value['inline'];
  if (inline !== undefined) {
    if (!isNumeric(inline) || toNumber(inline) !== 1)
      throw new ServerError('BadValue', "'inline' takes only numeric '1'");
    return { mode: 'inline' };
  }
  for (const mode of ['replace', 'merge', 'reduce'] as const) {
    const coll = value[mode];
    if (typeof coll !== 'string') continue;
    const other = value['db'];
    return { mode, ns: { db: typeof other === 'string' ? other : db, coll } };
  }
  throw new ServerError(13522, "please specify one of [replace|merge|reduce|inline] in 'out' object");
}

function functionText(args: Args, name: string): string {
  const value = args.body[name];
  const code = codeText(value);
  if (code !== undefined) return code;
  throw value === undefined
    ? new ServerError(40414, `BSON field 'mapReduce.${name}' is missing but a required field`)
    : new ServerError(
        'TypeMismatch',
        `BSON field 'mapReduce.${name}' must be a string or code, but found type: ${typeName(value)}`,
      );
}

interface Emitted {
  key: Value;
  values: Value[];
}

class MapReduce {
  private readonly groups = new Map<string, Emitted>();
  private readonly budget = new MemoryBudget('mapReduce');
  private readonly scope: { scope?: Doc };
  private readonly reduceCode: string;
  private readonly finalizeCode: string | undefined;

  constructor(
    private readonly ctx: CommandContext,
    private readonly args: Args,
    private readonly runner: JavaScriptRunner,
  ) {
    const scope = args.document('scope');
    this.scope = scope ? { scope } : {};
    this.reduceCode = functionText(args, 'reduce');
    this.finalizeCode = args.body['finalize'] ? functionText(args, 'finalize') : undefined;
  }

  async map(ns: Namespace, spec: FindSpec): Promise<void> {
    const code = functionText(this.args, 'map');
    const cursor = this.ctx.engine.find(ns, spec, this.ctx.op);
    try {
      for (let done = false; !done;) {
        const batch = await cursor.next(batchSize, batchBytes);
        done = batch.done;
        if (batch.docs.length === 0) continue;
        const [answer] = await this.call([
          { kind: 'map', code, docs: batch.docs.map(decode), ...this.scope },
        ]);
        for (const pair of answer as Doc[]) this.emit(pair['k'] ?? null, pair['v']);
      }
    } finally {
      cursor.close();
    }
  }

  /** The values of each key made one, by ascending keys. */
  async results(): Promise<Doc[]> {
    const all = [...this.groups.values()].sort((a, b) => compareValues(a.key, b.key));
    const docs: Doc[] = [];
    for (let at = 0; at < all.length; at += batchSize) {
      const part = all.slice(at, at + batchSize);
      const values = await this.reduce(part);
      docs.push(...(await this.finalize(part, values)));
    }
    return docs;
  }

  /** A key with one value is not reduced. */
  async reduce(part: readonly Emitted[]): Promise<Value[]> {
    const several = part.filter(({ values }) => values.length > 1);
    const reduced = await this.call(
      several.map(({ key, values }) => ({
        kind: 'reduce',
        code: this.reduceCode,
        key,
        values,
        ...this.scope,
      })),
    );
    let next = 0;
    return part.map(({ values }) => (values.length > 1 ? reduced[next++] : values[0]));
  }

  private async finalize(part: readonly Emitted[], values: Value[]): Promise<Doc[]> {
    const { finalizeCode: code } = this;
    const final =
      code === undefined
        ? values
        : await this.call(
            part.map(({ key }, i) => ({ kind: 'finalize', code, key, value: values[i], ...this.scope })),
          );
    return part.map(({ key }, i) => ({ _id: key, value: final[i] ?? null }));
  }

  private emit(key: Value, value: Value): void {
    const id = valueKey(key);
    let group = this.groups.get(id);
    if (!group) {
      group = { key, values: [] };
      this.groups.set(id, group);
      this.budget.addValue(key);
    }
    this.budget.addValue(value);
    group.values.push(value);
  }

  private async call(calls: readonly JavaScriptCall[]): Promise<Value[]> {
    if (calls.length === 0) return [];
    const answers = await this.runner.run(calls, this.ctx.op);
    return answers.map((answer: JavaScriptAnswer) => {
      if ('error' in answer) throw answer.error;
      return answer.value;
    });
  }
}

/** Reduces what the target holds already with the new values of the same keys. */
async function withExisting(
  ctx: CommandContext,
  job: MapReduce,
  ns: Namespace,
  docs: readonly Doc[],
): Promise<Doc[]> {
  const parts: Emitted[] = [];
  for (const { _id: key, value } of docs) {
    const cursor = ctx.engine.find(ns, { filter: { _id: { $eq: key } }, limit: 1 }, ctx.op);
    const [before] = (await cursor.next(1)).docs;
    cursor.close();
    parts.push({ key, values: before ? [decode(before)['value'], value] : [value] });
  }
  const values = await job.reduce(parts);
  return parts.map(({ key }, i) => ({ _id: key, value: values[i] }));
}

async function run(ctx: CommandContext): Promise<Reply> {
  const { javascript: runner } = ctx.op;
  if (!runner) throw javaScriptDisabled();
  const args = new Args('mapReduce', ctx.body);
  const ns = namespaceOf(ctx.name, ctx.db, ctx.body);
  const target = targetOf(args.body['out'], ctx.db);
  const job = new MapReduce(ctx, args, runner);
  if (!ctx.engine.collection(ns, ctx.op)) throw new ServerError('NamespaceNotFound', "ns doesn't exist");
  const sort = args.document('sort');
  const limit = args.integer('limit');
  const collation = args.document('collation');
  await job.map(ns, {
    filter: args.document('query') ?? {},
    ...(sort && Object.keys(sort).length > 0 && { sort }),
    ...(limit && { limit }),
    ...(collation && { collation }),
  });
  let results = await job.results();
  if (target.mode === 'inline') return { results };
  const context = pipelineContext(ctx, new Args('mapReduce', {}), ns);
  if (target.mode === 'replace') await collect(out({ ...target.ns }, context)(batched(results)));
  else {
    if (target.mode === 'reduce') results = await withExisting(ctx, job, target.ns, results);
    const spec = { into: { ...target.ns }, whenMatched: 'replace', whenNotMatched: 'insert' };
    await collect(merge(spec, context)(batched(results)));
  }
  const { db, coll } = target.ns;
  return { result: db === ctx.db ? coll : { db, collection: coll } };
}

export const mapReduceCommands: readonly Command[] = [
  {
    name: 'mapReduce',
    aliases: ['mapreduce'],
    fields: [
      'mapReduce',
      'mapreduce',
      'map',
      'reduce',
      'finalize',
      'out',
      'query',
      'sort',
      'limit',
      'scope',
      'collation',
      'jsMode',
      'verbose',
      'bypassDocumentValidation',
    ],
    writes: true,
    counter: 'command',
    run,
  },
];
