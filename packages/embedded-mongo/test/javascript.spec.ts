import { Code, Long, ObjectId, type Collection, type Document } from 'mongodb';
import { openTestStore, serverError, type TestStore } from './store.js';

type Row = Document & { _id: number };

const refusal = async (work: Promise<unknown>): Promise<unknown[]> => {
  const { code, message } = await serverError(work);
  return [code, message];
};

describe('server-side JavaScript', () => {
  let test: TestStore;
  let rows: Collection<Row>;
  const ids = (docs: Document[]): unknown[] => docs.map(({ _id }) => _id as number);
  const where = async ($where: string | Code, more: Document = {}): Promise<unknown[]> =>
    ids(
      await rows
        .find({ $where, ...more } as never)
        .sort({ _id: 1 })
        .toArray(),
    );

  beforeAll(async () => {
    test = await openTestStore({ javascript: true });
  });
  afterAll(() => test.close());

  beforeEach(async () => {
    rows = test.client.db('scripts').collection('rows');
    await rows.drop();
    await rows.insertMany([
      { _id: 1, a: 1, tags: ['x', 'y'] },
      { _id: 2, a: 2, tags: ['y'] },
      { _id: 3, a: 3, tags: [], big: Long.fromString('9007199254740993'), at: new Date(86_400_000) },
    ]);
  });

  it('finds by $where in all its forms, below $or and with other conditions', async () => {
    expect(await where('this.a > 1')).toEqual([2, 3]);
    expect(await where('return obj.a == 2')).toEqual([2]);
    expect(await where('function() { return this.tags.length === 0; }')).toEqual([3]);
    expect(await where(new Code('function() { return this.a % 2 == 1 }'), { _id: { $lt: 3 } })).toEqual([1]);
    expect(ids(await rows.find({ $or: [{ $where: 'this.a === 1' }, { a: 3 }] }).toArray())).toEqual([1, 3]);
    expect(await rows.countDocuments({ $nor: [{ a: 1 }] })).toBe(2);
    expect(
      await test.client.db('scripts').command({ count: 'rows', query: { $where: 'this.a < 3' } }),
    ).toMatchObject({ n: 2 });
    expect(
      await where('this.big instanceof NumberLong && this.big.toString().includes("9007199254740993")'),
    ).toEqual([3]);
    expect(await where('this.at instanceof Date && this.at.getTime() === 86400000')).toEqual([3]);
  });

  it('gives every match of many once, in order', async () => {
    await rows.insertMany(Array.from({ length: 1_000 }, (_, i) => ({ _id: 10 + i, a: i })));
    const found = await rows.find({ $where: 'this.a % 7 === 0' }).batchSize(20).toArray();
    const expected = Array.from({ length: 1_000 }, (_, i) => i)
      .filter((i) => i % 7 === 0)
      .map((i) => 10 + i);
    expect(ids(found)).toEqual(expected);
  });

  it('changes, deletes and takes what $where finds', async () => {
    const changed = await rows.updateMany({ $where: 'this.a >= 2' }, { $inc: { a: 10 } });
    expect(changed.modifiedCount).toBe(2);
    expect((await rows.findOneAndUpdate({ $where: 'this.a === 12' }, { $set: { seen: true } }))?._id).toBe(2);
    expect((await rows.deleteOne({ $where: 'this.a > 10' })).deletedCount).toBe(1);
    expect(ids(await rows.find().sort({ _id: 1 }).toArray())).toEqual([1, 3]);
    const error = await serverError(rows.updateMany({ $where: 'missing.name' }, { $set: { a: 0 } }));
    expect([error.code, error.message]).toEqual([
      139,
      expect.stringContaining('ReferenceError: missing is not defined'),
    ]);
  });

  it('loses no change that others make while a function is asked', async () => {
    await Promise.all(
      Array.from({ length: 10 }, () => rows.updateOne({ $where: 'this._id === 1' }, { $inc: { a: 1 } })),
    );
    expect((await rows.findOne({ _id: 1 }))?.a).toBe(11);
  });

  it('calls $function in filters and stages, nested and in groups', async () => {
    const call = (body: string, ...args: unknown[]) => ({ $function: { body, args, lang: 'js' } });
    const shown = await rows
      .aggregate([
        { $match: { $expr: call('function(a) { return a !== 2 }', '$a') } },
        {
          $project: {
            twice: call('(a) => a * 2', call('(a) => a + 1', '$a')),
            tags: { $map: { input: '$tags', in: call('(t) => t + "!"', '$$this') } },
          },
        },
        { $sort: { _id: 1 } },
      ])
      .toArray();
    expect(shown).toEqual([
      { _id: 1, twice: 4, tags: ['x!', 'y!'] },
      { _id: 3, twice: 8, tags: [] },
    ]);
    const grouped = await rows
      .aggregate([
        { $group: { _id: call('(a) => a > 1', '$a'), most: { $max: call('(a) => -a', '$a') } } },
        { $sort: { _id: 1 } },
      ])
      .toArray();
    expect(grouped).toEqual([
      { _id: false, most: -1 },
      { _id: true, most: -2 },
    ]);
    const id = new ObjectId();
    const [kept] = await rows
      .aggregate(
        [
          { $limit: 1 },
          {
            $project: {
              _id: 0,
              v: call('function(v) { return v }', {
                $literal: { id, d: new Date(5), n: null, l: Long.fromNumber(7) },
              }),
            },
          },
        ],
        { promoteLongs: false },
      )
      .toArray();
    expect(kept).toEqual({ v: { id, d: new Date(5), n: null, l: Long.fromNumber(7) } });
    expect(
      await refusal(
        rows.aggregate([{ $project: { a: { $function: { body: 'x', args: [], lang: 'py' } } } }]).toArray(),
      ),
    ).toEqual([
      31419,
      "Invalid $project :: caused by :: Currently the only supported language specifier is 'js'.",
    ]);
  });

  it('gathers with $accumulator', async () => {
    const spec = {
      init: 'function(start) { return { n: start, sum: 0 } }',
      initArgs: [0],
      accumulate: (state: { n: number; sum: number }, a: number) => ({ n: state.n + 1, sum: state.sum + a }),
      accumulateArgs: ['$a'],
      merge: 'function(a, b) { return a }',
      finalize: 'function(state) { return state.sum / state.n }',
      lang: 'js',
    };
    const accumulate = String(spec.accumulate);
    const [answer] = await rows
      .aggregate([{ $group: { _id: null, mean: { $accumulator: { ...spec, accumulate } } } }])
      .toArray();
    expect(answer).toEqual({ _id: null, mean: 2 });
  });

  it('runs mapReduce, inline and into a collection', async () => {
    const db = test.client.db('scripts');
    const job = {
      mapReduce: 'rows',
      map: 'function() { this.tags.forEach(function(tag) { emit(tag, step) }) }',
      reduce: 'function(key, values) { return Array.sum(values) }',
      scope: { step: 1 },
    };
    expect(await db.command({ ...job, out: { inline: 1 } })).toMatchObject({
      results: [
        { _id: 'x', value: 1 },
        { _id: 'y', value: 2 },
      ],
      ok: 1,
    });
    expect(await db.command({ ...job, query: { a: 1 }, out: 'tags' })).toMatchObject({
      result: 'tags',
      ok: 1,
    });
    await db.command({
      ...job,
      finalize: 'function(key, value) { return value * 10 }',
      out: { reduce: 'tags' },
    });
    expect(await db.collection('tags').find().sort({ _id: 1 }).toArray()).toEqual([
      { _id: 'x', value: 11 },
      { _id: 'y', value: 21 },
    ]);
    expect((await refusal(db.command({ ...job, out: 5 })))[0]).toBe(13606);
  });

  it('ends a function at maxTimeMS, asleep or awake', async () => {
    for (const code of ['sleep(60000)', 'while (true) {}']) {
      const error = await serverError(
        rows.find({ $where: `function() { ${code} }` }, { maxTimeMS: 50 }).toArray(),
      );
      expect([error.code, error.codeName]).toEqual([50, 'MaxTimeMSExpired']);
    }
    expect(await where('this.a === 1')).toEqual([1]);
  });

  it('has no way to require, process and the files', async () => {
    expect(
      await where(
        'typeof require === "undefined" && typeof process === "undefined" && typeof fetch === "undefined"',
      ),
    ).toEqual([1, 2, 3]);
    for (const code of [
      'this.constructor.constructor("return process")()',
      'sleep.constructor("return process")()',
      'globalThis.constructor.constructor("return process")()',
    ]) {
      expect((await refusal(where(`${code} !== undefined`)))[0]).toBe(139);
    }
  });

  it('is refused where MongoDB refuses it', async () => {
    expect(await refusal(rows.aggregate([{ $match: { $where: 'true' } }]).toArray())).toEqual([
      2,
      '$where is not allowed in this context',
    ]);
    expect(await refusal(rows.find({ $where: 5 } as never).toArray())).toEqual([2, '$where got bad type']);
    expect(await refusal(rows.find({ tags: { $elemMatch: { $where: 'true' } } }).toArray())).toEqual([
      2,
      '$elemMatch cannot contain $where expression',
    ]);
  });
});

describe('server-side JavaScript switched off', () => {
  it('is refused with the errors of a server without it', async () => {
    const test = await openTestStore();
    try {
      const rows = test.client.db('scripts').collection('rows');
      await rows.insertOne({ a: 1 });
      const off = 'Cannot run server-side javascript without the javascript engine enabled';
      const call = { $function: { body: 'function() { return 1 }', args: [], lang: 'js' } };
      expect(await refusal(rows.find({ $where: 'true' }).toArray())).toEqual([
        6108304,
        'no globalScriptEngine in $where parsing',
      ]);
      expect(await refusal(rows.aggregate([{ $project: { a: call } }]).toArray())).toEqual([31264, off]);
      expect(await refusal(rows.find({ $expr: call }).toArray())).toEqual([31264, off]);
      const job = { mapReduce: 'rows', map: 'function() {}', reduce: 'function() {}', out: { inline: 1 } };
      expect(await refusal(test.client.db('scripts').command(job))).toEqual([31264, off]);
    } finally {
      await test.close();
    }
  });
});
