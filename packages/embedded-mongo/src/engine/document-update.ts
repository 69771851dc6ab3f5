import { ObjectId, Timestamp } from 'bson';
import { touchedPaths } from '../update/touched.js';
import { compileUpdate, seedFromFilter } from '../update/update.js';
import type { Updater } from '../update/update.js';
import { encode, withIdFirst } from '../values/bson.js';
import type { Doc, Value } from '../values/bson.js';
import { equalValues, parseCollation } from '../values/compare.js';
import { ServerError } from '../values/errors.js';
import type { Collection } from './catalog.js';
import { checkId, MAX_DOCUMENT_BYTES, validate } from './document-rules.js';
import type { ChangedBy } from './document-change.js';
import type { Match } from './modify-run.js';
import type { PreparedQuery } from './prepared-query.js';
import { StoredDocument } from './stored-document.js';
import type { OpContext } from './types.js';

export interface UpdateSpec {
  filter: Doc;
  update: Doc | Doc[];
  arrayFilters?: Doc[];
  collation?: Doc;
  let?: Doc;
}

let lastSecond = 0;
let ordinal = 0;

/** Returns server timestamps that increase within one second. */
const nextTimestamp = (now: number): Timestamp => {
  const second = Math.max(lastSecond, Math.floor(now / 1_000));
  ordinal = second === lastSecond ? ordinal + 1 : 1;
  lastSecond = second;
  return new Timestamp({ t: second, i: ordinal });
};

/** A compiled update. It computes documents and writes nothing. */
export class DocumentUpdate {
  private readonly updater: Updater;
  private changedBy: ChangedBy | undefined;

  constructor(
    private readonly spec: UpdateSpec,
    private readonly ctx: OpContext,
    now: () => number,
  ) {
    this.updater = compileUpdate(spec.update, {
      arrayFilters: spec.arrayFilters,
      collation: parseCollation(spec.collation),
      let: spec.let,
      now: () => new Date(now()),
      timestamp: () => nextTimestamp(now()),
    });
  }

  /** Describes the change to change streams. */
  get by(): ChangedBy {
    const { kind } = this.updater;
    return (this.changedBy ??= {
      kind: kind === 'replacement' ? 'replace' : 'update',
      touched: kind === 'operators' ? touchedPaths(this.spec.update as Doc) : undefined,
    });
  }

  /** Returns the changed document after validation, or undefined if the update changes nothing. */
  changed(collection: Collection, { document }: Match, query: PreparedQuery): StoredDocument | undefined {
    const arrayIndex = this.updater.needsPosition
      ? query.filter.matchPositional(document.doc).arrayIndex
      : undefined;
    const { doc, changed } = this.updater.apply(document.doc, { arrayIndex });
    if (!changed) return undefined;
    const after = stored(keepId(document.doc, doc));
    if (Buffer.compare(after.bytes, document.bytes) === 0) return undefined;
    validate(collection, after, document, this.ctx.bypassDocumentValidation);
    return after;
  }

  /** Returns the document that an upsert inserts, built from its filter and update. */
  upserted(collection: Collection): StoredDocument {
    const seed = seedFromFilter(this.spec.filter);
    const { doc } = this.updater.apply(seed, { isInsert: true });
    if (seed._id !== undefined && doc._id === undefined) doc._id = seed._id;
    const after = stored(doc);
    checkId(after.doc._id);
    validate(collection, after, undefined, this.ctx.bypassDocumentValidation);
    return after;
  }
}

const stored = (doc: Doc): StoredDocument => {
  const encoded = encode(doc);
  const bytes = withIdFirst(encoded, () => new ObjectId());
  if (bytes.length > MAX_DOCUMENT_BYTES) {
    throw new ServerError(
      'BSONObjectTooLarge',
      `Resulting document after update is larger than ${MAX_DOCUMENT_BYTES}`,
    );
  }
  return bytes === encoded ? new StoredDocument(bytes, doc) : new StoredDocument(bytes);
};

/** A replacement without `_id` keeps the existing one. A different `_id` is rejected. */
const keepId = (before: Doc, after: Doc): Doc => {
  const id: Value = before._id;
  if (after._id === undefined) return { _id: id, ...after };
  if (!equalValues(id, after._id)) {
    throw new ServerError(
      'ImmutableField',
      "Performing an update on the path '_id' would modify the immutable field '_id'",
    );
  }
  return after;
};
