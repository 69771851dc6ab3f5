import { countersKey, documentPrefix, indexPrefix, prefixEnd, u64 } from './key-layout.js';
import { Store } from './store.js';
import { TestStore } from './testing/open-temp.js';
import type { Namespace, ValidationResult } from './types.js';

const ns: Namespace = { db: 'd', coll: 'c' };

describe('validate', () => {
  let test: TestStore;

  beforeEach(async () => {
    test = await TestStore.open();
    await test.engine.createIndexes(
      ns,
      [
        { key: { a: 1, b: -1 } },
        { key: { tags: 1 }, sparse: true },
        { key: { ext: 1 }, unique: true, partialFilterExpression: { ext: { $exists: true } } },
      ],
      {},
    );
    await test.insert(ns, [
      { _id: 1, a: 1, tags: ['x', 'y'], ext: 'e1' },
      { _id: 2, a: 2, b: 3 },
      { _id: 3, a: 3, tags: [], text: 'x'.repeat(3_000), ext: 'e'.repeat(3_000) },
    ]);
    await test.update(ns, { _id: 1 }, { $set: { tags: ['y', 'z', 'z'] } });
    await test.remove(ns, { _id: 2 });
  });

  afterEach(() => test.destroy());

  /** Changes bytes of the closed store, reopens and validates it. */
  const validateAfter = async (
    damage: (store: Store, collectionId: number) => void,
  ): Promise<ValidationResult | undefined> => {
    const id = test.engine.collection(ns)?.id ?? 0;
    await test.engine.close();
    const store = Store.open(test.dir);
    await store.write(() => damage(store, id));
    await store.close();
    await test.start();
    return test.engine.validate(ns, {});
  };

  const firstKey = (store: Store, prefix: Uint8Array): Uint8Array => {
    for (const key of store.view.keys({ low: prefix, high: prefixEnd(prefix) })) return key;
    throw new Error('there is no such key');
  };

  it('finds no errors in an intact collection and counts the entries', async () => {
    expect(await test.engine.validate(ns, {})).toEqual({
      documents: 2,
      corrupt: 0,
      keysPerIndex: { _id_: 2, 'a_1_b_-1': 2, tags_1: 3, ext_1: 2 },
      missing: {},
      extra: {},
      errors: [],
    });
  });

  it('returns undefined for a missing collection', async () => {
    expect(await test.engine.validate({ db: 'd', coll: 'none' }, {})).toBeUndefined();
  });

  it('stops when the operation is killed', async () => {
    await expect(test.engine.validate(ns, { signal: { killed: true } })).rejects.toMatchObject({
      code: 11601,
    });
  });

  it('detects a missing document by its remaining entries and by the counters', async () => {
    const found = await validateAfter((store, id) => store.remove(firstKey(store, documentPrefix(id))));
    expect(found).toMatchObject({
      documents: 1,
      missing: {},
      extra: { _id_: 1, 'a_1_b_-1': 1, tags_1: 2, ext_1: 1 },
    });
    expect(found?.errors).toHaveLength(5);
  });

  it.each([
    ['_id_', 0],
    ['a_1_b_-1', 1],
    ['tags_1', 2],
    ['ext_1', 3],
  ])('detects a missing entry in %s', async (name, nth) => {
    const found = await validateAfter((store, id) => {
      const prefixes = [
        ...store.view.keys({ low: indexPrefix(id, 0), high: prefixEnd(indexPrefix(id, 2 ** 32 - 1)) }),
      ].map((key) => Buffer.from(key.subarray(0, 9)).toString('hex'));
      const prefix = Buffer.from([...new Set(prefixes)][nth] ?? '', 'hex');
      store.remove(firstKey(store, prefix));
    });
    expect(found).toMatchObject({
      missing: { [name]: 1 },
      extra: {},
      errors: [`index ${name} is missing 1 entries`],
    });
  });

  it('detects an entry of a unique index that points to another document', async () => {
    const found = await validateAfter((store, id) => {
      const prefix = indexPrefix(id, 0).subarray(0, 5);
      store.put(firstKey(store, prefix), u64(77));
    });
    expect(found).toMatchObject({ missing: { _id_: 1 }, extra: { _id_: 1 } });
  });

  it('detects an unreadable document and wrong counters', async () => {
    const found = await validateAfter((store, id) => {
      store.put(firstKey(store, documentPrefix(id)), Buffer.from('not BSON'));
      store.put(countersKey(id), Buffer.concat([u64(9), u64(9)]));
    });
    expect(found?.corrupt).toBe(1);
    expect(found?.errors).toContainEqual(expect.stringMatching(/^the counters show 9 documents of 9 bytes/));
  });
});
