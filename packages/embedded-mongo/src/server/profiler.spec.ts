import { TestStore } from '../engine/testing/open-temp.js';
import { decode, int, type Doc } from '../values/bson.js';
import { Profiler } from './profiler.js';

const db = 'd';
const ns = { db, coll: 'system.profile' };

describe('Profiler', () => {
  let store: TestStore;
  let logged: string[];
  let chances: number[];
  let clock: number;
  let profiler: Profiler;

  beforeEach(async () => {
    store = await TestStore.open();
    logged = [];
    chances = [];
    clock = 0;
    profiler = new Profiler(
      store.engine,
      (_level, message) => logged.push(message),
      () => chances.shift() ?? 0,
      () => clock,
    );
  });

  afterEach(() => store.destroy());

  const kept = async (): Promise<Doc[]> => {
    await profiler.flush();
    const { docs } = await store.engine.find(ns, { filter: {} }, {}).next(1_000);
    return docs.map((doc) => decode(doc)['op']) as unknown as Doc[];
  };
  const note = (op: string, millis: number): void => profiler.note(db, millis, () => ({ op }));

  it('creates a capped collection when profiling is turned on', async () => {
    note('before', 5_000);
    await profiler.flush();
    expect(store.engine.collection(ns)).toBeUndefined();
    expect(profiler.active).toBe(false);
    await profiler.configure(db, { level: 2 });
    expect(profiler.active).toBe(true);
    expect(store.engine.collection(ns)?.options).toMatchObject({ capped: true, size: int(1_048_576) });
  });

  it('records all operations at level 2, slow operations at level 1, nothing at level 0', async () => {
    await profiler.configure(db, { level: 2 });
    note('quick', 1);
    await profiler.configure(db, { level: 1, slowMs: 50 });
    note('quick too', 49);
    note('slow', 50);
    await profiler.configure(db, { level: 0 });
    note('slow, but off', 50);
    expect(await kept()).toEqual(['quick', 'slow']);
    expect(logged).toEqual(['Slow query', 'Slow query']);
  });

  it('records a share of the slow operations', async () => {
    await profiler.configure(db, { level: 1, slowMs: 0, sampleRate: 0.5 });
    chances = [0.7, 0.3];
    note('left out', 1);
    note('kept', 1);
    expect(await kept()).toEqual(['kept']);
  });

  it('records operations that match its filter, however fast', async () => {
    await profiler.configure(db, { level: 1, filter: { op: 'wanted' } });
    note('wanted', 0);
    note('slow', 1_000);
    expect(await kept()).toEqual(['wanted']);
    await profiler.configure(db, { filter: null });
    note('slow', 1_000);
    expect(await kept()).toEqual(['wanted', 'slow']);
  });

  it('logs up to twenty slow operations per second and counts the others', () => {
    const details: object[] = [];
    profiler = new Profiler(
      store.engine,
      (_level, _message, shown) => details.push(shown!),
      undefined,
      () => clock,
    );
    for (let i = 0; i < 25; i++) note('slow', 100);
    expect(details).toHaveLength(20);
    clock += 1_000;
    note('slow', 100);
    expect(details.at(-1)).toMatchObject({ op: 'slow', leftOut: 5 });
  });

  it('drops reports when too many are pending', async () => {
    await profiler.configure(db, { level: 2 });
    // The first is being written. A thousand may be pending.
    for (let i = 0; i < 1_101; i++) note('op', 0);
    await profiler.flush();
    expect(await store.engine.count(ns, { filter: {} }, {})).toBe(1_001);
    expect(logged).toContain('dropped operation reports: too many were pending');
  });

  it('keeps working when a report cannot be written', async () => {
    await profiler.configure(db, { level: 2 });
    await store.engine.close();
    note('op', 0);
    await profiler.flush();
    expect(logged).toEqual(['failed to write operation reports to the profile']);
    await store.reopen();
  });
});
