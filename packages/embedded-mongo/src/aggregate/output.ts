import { randomUUID } from 'node:crypto';
import { ObjectId } from 'bson';
import type { Engine, Namespace, OpContext } from '../engine/types.js';
import { encode, formatDoc, int, isDoc, pathKeys, typeName, type Doc, type Value } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import type { PipelineContext, StageBuilder } from './context.js';
import { blocking, collect } from './stream.js';

function targetOf(stage: string, value: Value, context: PipelineContext): Namespace {
  if (typeof value === 'string' && value !== '') return { db: context.ns.db, coll: value };
  if (isDoc(value) && typeof value['coll'] === 'string') {
    const db = value['db'];
    return { db: typeof db === 'string' ? db : context.ns.db, coll: value['coll'] };
  }
  throw new ServerError(
    16990,
    `${stage} only supports a string or object argument, but found ${typeName(value)}`,
  );
}

function refuseInTransaction(stage: string, { op }: PipelineContext): void {
  if (op.txn) {
    throw new ServerError('OperationNotSupportedInTransaction', `${stage} cannot be used in a transaction`);
  }
}

const withId = (doc: Doc): Doc => (doc['_id'] === undefined ? { _id: new ObjectId(), ...doc } : doc);

function plainContext({ op }: PipelineContext): OpContext {
  return {
    durable: op.durable ?? true,
    ...(op.signal && { signal: op.signal }),
    ...(op.bypassDocumentValidation && { bypassDocumentValidation: true }),
  };
}

/** `$out`: writes to a temporary collection, then renames it to the target and keeps the target's indexes. */
export const out: StageBuilder = (spec, context) => {
  refuseInTransaction('$out', context);
  const target = targetOf('$out', spec, context);
  return blocking(async (input) => {
    const { engine } = context;
    const op = plainContext(context);
    const temporary: Namespace = { db: target.db, coll: `tmp.agg_out.${randomUUID()}` };
    const existing = engine.collection(target);
    const shown = `${target.db}.${target.coll}`;
    if (existing?.type === 'view') {
      throw new ServerError('CommandNotSupportedOnView', `Namespace ${shown} is a view, not a collection`);
    }
    if (existing?.options['capped'] === true) {
      throw new ServerError(17152, `namespace '${shown}' is capped so it can't be used for $out`);
    }
    await engine.createCollection(temporary, existing?.options ?? {}, op);
    try {
      const indexes = existing?.indexes.filter(({ name }) => name !== '_id_') ?? [];
      if (indexes.length > 0)
        await engine.createIndexes(
          temporary,
          indexes.map((index) => ({ ...index })),
          op,
        );
      for await (const batch of input) {
        const result = await engine.insert(
          temporary,
          batch.map((doc) => encode(withId(doc))),
          true,
          op,
        );
        const failed = result.writeErrors[0];
        if (failed) {
          const { keyPattern, keyValue } = failed;
          throw new ServerError(failed.code, failed.errmsg, {
            details: { keyPattern, keyValue },
          });
        }
      }
      await engine.renameCollection(temporary, target, true, op);
    } catch (error) {
      await engine.dropCollection(temporary, op);
      throw error;
    }
    return [];
  });
};

type WhenMatched = 'replace' | 'keepExisting' | 'merge' | 'fail' | Doc[];
type WhenNotMatched = 'insert' | 'discard' | 'fail';

interface MergeSpec {
  into: Namespace;
  on: string[];
  whenMatched: WhenMatched;
  whenNotMatched: WhenNotMatched;
  let: Doc | undefined;
}

function parseMerge(spec: Value, context: PipelineContext): MergeSpec {
  const options: Doc = isDoc(spec) && 'into' in spec ? spec : { into: spec };
  const given = options['on'] ?? '_id';
  const on = (Array.isArray(given) ? given : [given]).map(String);
  const matched = options['whenMatched'] ?? 'merge';
  const notMatched = options['whenNotMatched'] ?? 'insert';
  const knownMatched = Array.isArray(matched)
    ? matched.every(isDoc)
    : ['replace', 'keepExisting', 'merge', 'fail'].includes(String(matched));
  if (!knownMatched || !['insert', 'discard', 'fail'].includes(String(notMatched))) {
    throw new ServerError('BadValue', "Enumeration value of '$merge' is not known");
  }
  const into = targetOf('$merge', options['into'], context);
  checkUnique(into, on, context);
  return {
    into,
    on,
    whenMatched: matched as WhenMatched,
    whenNotMatched: notMatched as WhenNotMatched,
    let: isDoc(options['let']) ? options['let'] : undefined,
  };
}

/** A match must identify a single document, so the fields used for matching need a unique index. */
function checkUnique(into: Namespace, on: readonly string[], { engine }: PipelineContext): void {
  if (on.length === 1 && on[0] === '_id') return;
  const wanted = new Set(on);
  const found = engine
    .collection(into)
    ?.indexes.some(({ unique, key }) => unique && sameMembers(Object.keys(key), wanted));
  if (!found) {
    throw new ServerError(51183, 'Cannot find index to verify that join fields will be unique');
  }
}

const sameMembers = (names: readonly string[], wanted: ReadonlySet<string>): boolean =>
  names.length === wanted.size && names.every((name) => wanted.has(name));

const at = (doc: Doc, path: string): Value =>
  pathKeys(path).reduce<Value>((value, name) => (isDoc(value) ? value[name] : undefined), doc);

function updateFor(doc: Doc, whenMatched: WhenMatched): Doc | Doc[] {
  if (Array.isArray(whenMatched)) return whenMatched;
  if (whenMatched === 'replace') return doc;
  if (whenMatched === 'merge') return [{ $replaceWith: { $mergeObjects: ['$$ROOT', { $literal: doc }] } }];
  return [{ $replaceWith: '$$ROOT' }];
}

/** The error that inserting an existing document would cause. */
function duplicate(engine: Engine, { into, on }: MergeSpec, doc: Doc): ServerError {
  const wanted = new Set(on);
  const index = engine
    .collection(into)
    ?.indexes.find(
      ({ name, unique, key }) =>
        (unique === true || name === '_id_') && sameMembers(Object.keys(key), wanted),
    );
  const keyPattern = index?.key ?? { _id: int(1) };
  const keyValue: Doc = Object.fromEntries(Object.keys(keyPattern).map((path) => [path, at(doc, path)]));
  return new ServerError(
    'DuplicateKey',
    `PlanExecutor error during aggregation :: caused by :: E11000 duplicate key error collection: ${into.db}.${into.coll} index: ${index?.name ?? '_id_'} dup key: ${formatDoc(keyValue)}`,
    { details: { keyPattern, keyValue } },
  );
}

async function mergeOne(doc: Doc, spec: MergeSpec, context: PipelineContext): Promise<void> {
  const { engine } = context;
  const op = plainContext(context);
  const filter: Doc = {};
  for (const path of spec.on) {
    const value = at(doc, path);
    if (value === undefined || value === null || Array.isArray(value)) {
      throw new ServerError(
        51132,
        `$merge write error: 'on' field '${path}' cannot be missing, null, undefined or an array`,
      );
    }
    filter[path] = { $eq: value };
  }
  const result = await engine.update(
    spec.into,
    [{ filter, update: updateFor(doc, spec.whenMatched), let: { ...spec.let, new: doc } }],
    true,
    op,
  );
  const failed = result.writeErrors[0];
  if (failed)
    throw new ServerError(failed.code, failed.errmsg, {
      details: { keyPattern: failed.keyPattern, keyValue: failed.keyValue },
    });
  if (result.n > 0) {
    if (spec.whenMatched === 'fail') throw duplicate(engine, spec, doc);
    return;
  }
  if (spec.whenNotMatched === 'fail') {
    throw new ServerError(13113, '$merge could not find a matching document in the target collection', {
      codeName: 'MergeStageNoMatchingDocument',
    });
  }
  if (spec.whenNotMatched === 'insert') {
    const inserted = await engine.insert(spec.into, [encode(doc)], true, op);
    const error = inserted.writeErrors[0];
    if (error)
      throw new ServerError(error.code, error.errmsg, {
        details: { keyPattern: error.keyPattern, keyValue: error.keyValue },
      });
  }
}

export const merge: StageBuilder = (raw, context) => {
  refuseInTransaction('$merge', context);
  const spec = parseMerge(raw, context);
  return blocking(async (input) => {
    // Reads all input first, so that the stage never reads its own output.
    const docs = await collect(input);
    for (const doc of docs) await mergeOne(withId(doc), spec, context);
    return [];
  });
};
