import { compileFilter } from '../query/matcher.js';
import type { Filter } from '../query/matcher.js';
import { toNumber } from '../values/bson.js';
import type { Doc } from '../values/bson.js';
import { parseCollation } from '../values/compare.js';
import type { Collation } from '../values/compare.js';
import type { Direction } from '../values/key.js';
import { isWildcardKey } from './index-kinds.js';
import { indexPrefix } from './key-layout.js';
import { compileWildcard } from './wildcard.js';
import type { WildcardPaths } from './wildcard.js';
import type { IndexSpec } from './types.js';

/**
 * An index in memory. Entries of a unique index store the record id as their value; the keys of all others
 * end with it.
 */
export class Index {
  readonly fields: readonly string[];
  readonly directions: readonly Direction[];
  readonly collation: Collation | undefined;
  readonly prefix: Uint8Array;
  readonly isId: boolean;
  readonly wildcard: WildcardPaths | undefined;
  /**
   * The single field whose entries can be read without decoding the document. Undefined if documents must be
   * decoded.
   */
  readonly simpleField: string | undefined;
  partial: Filter | undefined;
  /** Some document has several entries. Never reset while such documents may exist. */
  multikey = false;
  /** Some entry is truncated, so the order of long keys differs from the order of their values. */
  cut = false;
  /** Number of queries that used the index since the store was opened or the index was created. */
  uses = 0;
  /** Creation time in epoch milliseconds. Undefined for an index that existed when the store was opened. */
  since: number | undefined;
  private savedMultikey = false;
  private savedCut = false;
  /** Maintained by writers, but not yet complete and not in the catalog row. */
  building = false;
  dropped = false;
  /**
   * Sequence of the commit that completed the index. Older snapshots must not read through it. Undefined
   * while it cannot be used.
   */
  readyAt: number | undefined = 0;

  constructor(
    collectionId: number,
    readonly id: number,
    public spec: IndexSpec,
  ) {
    this.wildcard = isWildcardKey(spec.key) ? compileWildcard(spec) : undefined;
    // A stored key of a wildcard index consists of a path and a value.
    this.fields = this.wildcard ? ['$_path', '$_value'] : Object.keys(spec.key);
    this.directions = this.fields.map((field) => (toNumber(spec.key[field]) < 0 ? -1 : 1));
    this.collation = parseCollation(spec.collation);
    this.prefix = indexPrefix(collectionId, id);
    this.isId = spec.name === '_id_' || spec.clustered === true;
    const [field] = this.fields;
    this.simpleField =
      this.ordered &&
      this.fields.length === 1 &&
      field &&
      !field.includes('.') &&
      !spec.partialFilterExpression
        ? field
        : undefined;
    if (spec.partialFilterExpression) this.partial = compileFilter(spec.partialFilterExpression);
  }

  get unique(): boolean {
    return this.isId || (this.spec.unique === true && this.ordered);
  }

  /** Whether its keys are the values of its fields, in their order. */
  get ordered(): boolean {
    return !this.wildcard;
  }

  get sparse(): boolean {
    return this.spec.sparse === true;
  }

  get flagsUnsaved(): boolean {
    return this.multikey !== this.savedMultikey || this.cut !== this.savedCut;
  }

  /**
   * Call this when creating a catalog row with the current flags, and call the returned function when that
   * row is on disk. Flags set in between remain unsaved.
   */
  savingFlags(): () => void {
    const { multikey, cut } = this;
    return () => {
      this.savedMultikey = multikey;
      this.savedCut = cut;
    };
  }

  row(): Doc {
    return { id: this.id, spec: { ...this.spec }, multikey: this.multikey, cut: this.cut };
  }

  static ofRow(collectionId: number, row: Doc): Index {
    const index = new Index(collectionId, toNumber(row.id), specOfRow(row.spec as Doc));
    index.multikey = row.multikey === true;
    index.cut = row.cut === true;
    index.savingFlags()();
    return index;
  }
}

const specOfRow = (row: Doc): IndexSpec => {
  const spec: IndexSpec = { v: 2, key: row.key as Doc, name: row.name as string };
  if (typeof row.background === 'boolean') spec.background = row.background;
  if (row.unique === true) spec.unique = true;
  if (row.sparse === true) spec.sparse = true;
  if (row.hidden === true) spec.hidden = true;
  if (row.partialFilterExpression) spec.partialFilterExpression = row.partialFilterExpression as Doc;
  if (row.expireAfterSeconds !== undefined) spec.expireAfterSeconds = toNumber(row.expireAfterSeconds);
  if (row.clustered === true) spec.clustered = true;
  if (row.collation) spec.collation = row.collation as Doc;
  if (row.wildcardProjection) spec.wildcardProjection = row.wildcardProjection as Doc;
  return spec;
};
