import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decode, encode, fieldName } from '../../values/bson.js';
import type { Doc } from '../../values/bson.js';
import { openEngine } from '../engine.js';
import type { Engine, EngineOptions, FindSpec, Namespace, OpContext } from '../types.js';

/** An engine in its own temporary directory, with shorthand methods for tests. */
export class TestStore {
  time = Date.UTC(2026, 0, 1);

  private constructor(
    readonly dir: string,
    private options: Partial<EngineOptions>,
    public engine: Engine,
  ) {}

  static async open(options: Partial<EngineOptions> = {}, dir = mkdtempSync(join(tmpdir(), 'engine-'))) {
    const store: TestStore = new TestStore(dir, options, undefined as unknown as Engine);
    await store.start();
    return store;
  }

  async start(): Promise<void> {
    this.engine = await openEngine({
      dir: this.dir,
      now: () => this.time,
      ttlSweepMs: 3_600_000,
      ...this.options,
    });
  }

  async reopen(): Promise<void> {
    await this.engine.close();
    await this.start();
  }

  async destroy(): Promise<void> {
    await this.engine.close();
    rmSync(this.dir, { recursive: true, force: true });
  }

  async insert(ns: Namespace, docs: Doc[], ctx: OpContext = {}, ordered = true) {
    return this.engine.insert(ns, docs.map(encode), ordered, ctx);
  }

  async find(
    ns: Namespace,
    filter: Doc = {},
    spec: Partial<FindSpec> = {},
    ctx: OpContext = {},
  ): Promise<Doc[]> {
    const cursor = this.engine.find(ns, { filter, ...spec }, ctx);
    const found: Doc[] = [];
    for (;;) {
      const { docs, done } = await cursor.next(101);
      found.push(...docs.map(decode));
      if (done) return found;
    }
  }

  /** The `_id`s of the matches, as plain numbers or strings. */
  async ids(
    ns: Namespace,
    filter: Doc = {},
    spec: Partial<FindSpec> = {},
    ctx: OpContext = {},
  ): Promise<unknown[]> {
    return (await this.find(ns, filter, spec, ctx)).map((doc) => plain(doc._id));
  }

  update(
    ns: Namespace,
    filter: Doc,
    update: Doc | Doc[],
    more: { multi?: boolean; upsert?: boolean; ctx?: OpContext } = {},
  ) {
    const { ctx = {}, ...rest } = more;
    return this.engine.update(ns, [{ filter, update, ...rest }], true, ctx);
  }

  remove(ns: Namespace, filter: Doc, limit: 0 | 1 = 0, ctx: OpContext = {}) {
    return this.engine.delete(ns, [{ filter, limit }], true, ctx);
  }
}

/** Converts BSON number types to plain values, keyed by the names that clients see. */
export const plain = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(plain);
  if (value && typeof value === 'object' && '_bsontype' in value) {
    const type = (value as { _bsontype: string })._bsontype;
    if (type === 'Int32' || type === 'Double') return (value as unknown as { value: number }).value;
    if (type === 'Long') return Number(String(value));
    return String(value);
  }
  if (value instanceof Date || value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [fieldName(name), plain(item)]));
};
