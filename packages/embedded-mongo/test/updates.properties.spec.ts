import fc from 'fast-check';
import { plain, TestStore } from '../src/engine/testing/open-temp.js';
import type { Namespace, UpdateStatement } from '../src/engine/types.js';
import type { Doc } from '../src/values/types.js';
import { applyOperators, type Plain, type PlainDoc, Refused, type UpdateFacts } from './oracle/update.js';
import { expectHoldsAsync, propertyTimeoutMs } from './properties.js';

const ns: Namespace = { db: 'updates', coll: 'c' };

const small = fc.integer({ min: -2, max: 4 });
const simple = fc.oneof<fc.Arbitrary<Plain>[]>(small, fc.constantFrom('a', 'b'), fc.constant(null));
const numbers = fc.array(small, { maxLength: 4 });
const element: fc.Arbitrary<Plain> = fc.record(
  { k: small, v: small },
  { requiredKeys: ['k'], noNullPrototype: true },
);

const doc: fc.Arbitrary<PlainDoc> = fc.record(
  {
    a: small,
    b: simple,
    c: simple,
    d: simple,
    r: simple,
    l: fc.oneof<fc.Arbitrary<Plain>[]>({ weight: 6, arbitrary: numbers } as never, small),
    m: fc.array(element, { maxLength: 3 }),
    o: fc.oneof<fc.Arbitrary<Plain>[]>(
      fc.record({ x: simple, y: small }, { requiredKeys: [], noNullPrototype: true }),
      small,
    ),
  },
  { requiredKeys: ['a'], noNullPrototype: true },
);

interface Change {
  operator: string;
  path: string;
  argument: Plain;
  /** The array filter that the path requires. */
  arrayFilter?: Doc;
  selects?: UpdateFacts['selects'];
}
const change = (
  operator: string,
  path: fc.Arbitrary<string>,
  argument: fc.Arbitrary<Plain>,
): fc.Arbitrary<Change> => fc.record({ operator: fc.constant(operator), path, argument });

const field = fc.constantFrom('a', 'b', 'c', 'o.x', 'o.y', 'o.z', 'n.e.w', 'l.1', 'l.5', 'm.0.v');
const ofList = fc.constantFrom('l', 'l', 'l', 'new');
const push: fc.Arbitrary<Plain> = fc.record(
  {
    $each: numbers,
    $position: fc.integer({ min: -3, max: 5 }),
    $slice: fc.integer({ min: -3, max: 3 }),
    $sort: fc.constantFrom(1, -1),
  },
  { requiredKeys: ['$each'], noNullPrototype: true },
);

const anyChange: fc.Arbitrary<Change> = fc.oneof(
  { weight: 3, arbitrary: change('$set', field, simple) },
  change('$set', fc.constantFrom('l', 'o'), fc.oneof<fc.Arbitrary<Plain>[]>(numbers, small)),
  change('$set', fc.constant('m'), fc.array(element, { maxLength: 3 })),
  change('$unset', field, fc.constant('')),
  change('$setOnInsert', field, simple),
  { weight: 2, arbitrary: change('$inc', field, small) },
  change('$mul', field, fc.integer({ min: -1, max: 2 })),
  change('$min', field, simple),
  change('$max', field, simple),
  change(
    '$bit',
    field,
    fc.tuple(fc.constantFrom('and', 'or', 'xor'), small).map(([name, bits]): Plain => ({ [name]: bits })),
  ),
  change('$rename', fc.constant('r'), fc.constant('d')),
  { weight: 3, arbitrary: change('$push', ofList, push) },
  change(
    '$addToSet',
    ofList,
    numbers.map((each): Plain => ({ $each: each })),
  ),
  change('$pop', ofList, fc.constantFrom(1, -1)),
  change(
    '$pull',
    ofList,
    fc.oneof<fc.Arbitrary<Plain>[]>(
      small,
      small.map((n): Plain => ({ $gte: n })),
    ),
  ),
  change(
    '$pull',
    fc.constant('m'),
    small.map((k): Plain => ({ k })),
  ),
  change('$pullAll', ofList, numbers),
  change('$inc', fc.constantFrom('l.$[]', 'm.$[].v'), small),
  fc.tuple(small, small).map(([k, by]): Change => ({
    operator: '$inc',
    path: 'm.$[e].v',
    argument: by,
    arrayFilter: { 'e.k': k },
    selects: { e: (one) => typeof one === 'object' && one !== null && !Array.isArray(one) && one['k'] === k },
  })),
  fc.tuple(small, small).map(([least, to]): Change => ({
    operator: '$set',
    path: 'l.$[f]',
    argument: to,
    arrayFilter: { f: { $gte: least } },
    selects: { f: (one) => typeof one === 'number' && one >= least },
  })),
);
/** Changes to different fields, so that they do not conflict. */
const anyChanges = fc.uniqueArray(anyChange, {
  minLength: 1,
  maxLength: 3,
  selector: ({ operator, path, argument }) =>
    operator === '$rename' ? (argument as string) : path.split('.')[0],
});

type Target =
  | { kind: 'one'; id: number }
  | { kind: 'many'; least: number }
  | { kind: 'upsert'; id: number; b: number }
  | { kind: 'position'; id: number; element: number; to: number };
interface Step {
  target: Target;
  changes: Change[];
  /** A pipeline used instead of the changes. */
  pipeline?: Doc[];
}

const id = fc.nat(5);
const target: fc.Arbitrary<Target> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('one' as const), id }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('many' as const), least: small }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('upsert' as const), id: fc.nat(9), b: small }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('position' as const), id, element: small, to: small }),
  },
);
const pipeline = fc.oneof(
  small.map((by): Doc[] => [{ $set: { a: { $add: ['$b', by] } } }]),
  fc.constant<Doc[]>([{ $unset: 'c' }, { $set: { d: '$a' } }]),
  small.map((to): Doc[] => [{ $replaceWith: { $mergeObjects: ['$$ROOT', { b: to }] } }]),
);
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc
    .record({ target, changes: anyChanges, pipeline }, { requiredKeys: ['target', 'changes'] })
    .map((step) => {
      // Most steps are operators.
      const { pipeline: stages, ...rest } = step;
      return stages && rest.changes.length === 1 && rest.target.kind !== 'position'
        ? { ...rest, pipeline: stages }
        : rest;
    }),
  { minLength: 1, maxLength: 10 },
);

const applyPipeline = (doc: PlainDoc, [stage]: Doc[]): PlainDoc => {
  const [name = '', operand] = Object.entries(stage ?? {})[0] ?? [];
  if (name === '$unset') {
    const { c: _c, d: _d, ...others } = doc;
    return doc['a'] === undefined ? others : { ...others, d: doc['a'] };
  }
  if (name === '$replaceWith')
    return { ...doc, b: (operand as { $mergeObjects: [string, { b: number }] }).$mergeObjects[1].b };
  const by = (operand as { a: { $add: [string, number] } }).a.$add[1];
  const b = doc['b'] ?? null;
  if (b !== null && typeof b !== 'number') throw new Refused('no number');
  return { ...doc, a: b === null ? null : b + by };
};

const operatorsOf = (changes: readonly Change[]): Record<string, PlainDoc> => {
  const update: Record<string, PlainDoc> = {};
  for (const { operator, path, argument } of changes) (update[operator] ??= {})[path] = argument;
  return update;
};

/** The form in which the step is sent to the store. */
const statementOf = ({ target, changes, pipeline: stages }: Step): UpdateStatement => {
  const positional = target.kind === 'position' ? { $set: { 'l.$': target.to } } : undefined;
  const arrayFilters = changes.flatMap(({ arrayFilter }): Doc[] => (arrayFilter ? [arrayFilter] : []));
  const filters: Record<Target['kind'], Doc> = {
    one: { _id: (target as { id: number }).id },
    many: { a: { $gte: (target as { least: number }).least } },
    upsert: { _id: (target as { id: number }).id, b: (target as { b: number }).b },
    position: { _id: (target as { id: number }).id, l: (target as { element: number }).element },
  };
  return {
    filter: filters[target.kind],
    update: stages ?? positional ?? operatorsOf(changes),
    multi: target.kind === 'many',
    upsert: target.kind === 'upsert',
    ...(!stages && !positional && arrayFilters.length > 0 && { arrayFilters }),
  };
};

const isMatch = (doc: PlainDoc, target: Target): boolean => {
  const { a, b, l } = doc;
  const holds = (value: Plain | undefined, wanted: number): boolean =>
    value === wanted || (Array.isArray(value) && value.includes(wanted));
  if (target.kind === 'many') return typeof a === 'number' && a >= target.least;
  if (doc['_id'] !== target.id) return false;
  if (target.kind === 'upsert') return holds(b, target.b);
  return target.kind === 'one' || holds(l, target.element);
};

const after = (doc: PlainDoc, { target, changes, pipeline: stages }: Step, isInsert: boolean): PlainDoc => {
  if (stages) return applyPipeline(doc, stages);
  const selects = Object.assign({}, ...changes.map((one) => one.selects ?? {})) as UpdateFacts['selects'];
  if (target.kind !== 'position') return applyOperators(doc, operatorsOf(changes), { isInsert, selects });
  const { l } = doc;
  const facts = Array.isArray(l)
    ? { isInsert, selects, position: l.indexOf(target.element) }
    : { isInsert, selects };
  return applyOperators(doc, { $set: { 'l.$': target.to } }, facts);
};

/** The documents of the model after the step, by _id. Undefined for a document whose update is rejected. */
const modelStep = (docs: ReadonlyMap<number, PlainDoc>, step: Step): Map<number, PlainDoc | undefined> => {
  const results = new Map<number, PlainDoc | undefined>();
  const attempt = (id: number, work: () => PlainDoc): void => {
    try {
      results.set(id, work());
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      results.set(id, undefined);
    }
  };
  for (const [id, doc] of docs) if (isMatch(doc, step.target)) attempt(id, () => after(doc, step, false));
  const { target } = step;
  if (target.kind === 'upsert' && results.size === 0)
    attempt(target.id, () => {
      const made = after({ _id: target.id, b: target.b }, step, true);
      if (docs.has(target.id)) throw new Refused('the _id is taken');
      return made;
    });
  return results;
};

let store: TestStore;

beforeAll(async () => {
  store = await TestStore.open();
});
afterAll(() => store.destroy());

const stored = async (hint: string | Doc): Promise<Map<number, PlainDoc>> => {
  const docs = (await store.find(ns, {}, { hint })).map((doc) => plain(doc) as PlainDoc);
  return new Map(docs.map((doc) => [doc['_id'] as number, doc]));
};

const prepare = async (docs: readonly PlainDoc[]): Promise<Map<number, PlainDoc>> => {
  await store.engine.dropCollection(ns, {});
  await store.engine.createIndexes(
    ns,
    [
      { key: { a: 1, b: -1 } },
      { key: { l: -1 } },
      { key: { 'm.v': 1, a: 1 } },
      { key: { 'o.x': 1 }, sparse: true },
      { key: { c: 1 }, partialFilterExpression: { c: { $exists: true } } },
    ],
    {},
  );
  const withIds = docs.map((one, _id): PlainDoc => ({ _id, ...one }));
  await store.insert(ns, withIds);
  return new Map(withIds.map((one) => [one['_id'] as number, one]));
};

const check = async (docs: PlainDoc[], taken: Step[]): Promise<void> => {
  let model = await prepare(docs);
  for (const step of taken) {
    const results = modelStep(model, step);
    const statement = statementOf(step);
    const answer = await store.engine.update(ns, [statement], true, {});
    const refused = [...results.values()].includes(undefined);
    const name = JSON.stringify({ statement, before: [...model.values()], answer });
    expect([name, answer.writeErrors.length > 0]).toEqual([name, refused]);
    const found = await stored({ $natural: 1 });
    // An update of many documents changes those before the rejected one, in an order that depends on the
    // plan.
    const expected = new Map(model);
    for (const [id, made] of results)
      if (made && (!refused || JSON.stringify(found.get(id)) !== JSON.stringify(model.get(id))))
        expected.set(id, made);
    expect([name, Object.fromEntries(found)]).toEqual([name, Object.fromEntries(expected)]);
    if (!refused) expect([name, answer.n]).toEqual([name, results.size]);
    model = found;
  }
  expect(await store.engine.validate(ns, {})).toMatchObject({ errors: [] });
  expect(await stored('a_1_b_-1')).toEqual(model);
};

it(
  'random updates match a simple model and keep the indexes consistent',
  () => expectHoldsAsync(fc.asyncProperty(fc.array(doc, { minLength: 1, maxLength: 6 }), steps, check), 150),
  propertyTimeoutMs,
);
