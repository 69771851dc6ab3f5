import { createHash } from 'node:crypto';
import { Binary, Timestamp } from 'bson';
import type { Change, ChangeKind } from '../engine/change-log.js';
import type { Engine, Namespace } from '../engine/types.js';
import { decode, formatDoc, long, newDoc, readField, type Doc, type Value } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import { isInternal, type ChangeStreamOptions } from './change-stream-options.js';
import { describeUpdate, updateDescriptionDoc } from './update-description.js';

const always: ReadonlySet<ChangeKind> = new Set([
  'insert',
  'update',
  'replace',
  'delete',
  'drop',
  'rename',
  'dropDatabase',
]);

/** Without authentication, every session belongs to the user with the empty name. */
const anonymousUser = createHash('sha256').update('').digest();

const isSystem = ({ coll }: Namespace): boolean => coll.startsWith('system.');

/** Builds the events of a change stream from the engine's log. */
export class EventBuilder {
  constructor(
    private readonly options: ChangeStreamOptions,
    private readonly engine: Engine,
  ) {}

  /** Whether the change belongs to the stream. */
  concerns(change: Change): boolean {
    const { kind, ns, uuid } = change;
    // Events of views, which have no UUID, appear only with `showExpandedEvents`.
    const ofView = uuid === undefined && kind !== 'dropDatabase';
    if (!this.options.showExpandedEvents && (ofView || !always.has(kind))) return false;
    const { scope } = this.options;
    if (scope.kind === 'collection' && kind === 'dropDatabase') return false;
    if (this.inScope(ns)) return true;
    const to = change.catalog?.to;
    return to !== undefined && this.inScope(to);
  }

  /** Whether the change ends the stream. */
  invalidates({ kind }: Change): boolean {
    const { scope } = this.options;
    if (scope.kind === 'collection') return kind === 'drop' || kind === 'rename';
    return scope.kind === 'database' && kind === 'dropDatabase';
  }

  invalidation(change: Change, token: Doc): Doc {
    return this.head(change, token, 'invalidate');
  }

  /** Builds the event for a change that belongs to the stream. */
  async event(change: Change, token: Doc): Promise<Doc> {
    const { showExpandedEvents } = this.options;
    const { kind, uuid, txn, ns, catalog } = change;
    const description =
      kind === 'update'
        ? describeUpdate(decode(change.before!), decode(change.after!), change.touched)
        : undefined;
    const shownKind = kind === 'update' && !description ? 'replace' : kind;
    const doc = this.head(change, token, shownKind);
    if (txn) {
      doc['lsid'] = { id: new Binary(Buffer.from(txn.lsid, 'hex'), 4), uid: new Binary(anonymousUser, 0) };
      doc['txnNumber'] = long(txn.txnNumber);
    }
    if (showExpandedEvents && uuid) doc['collectionUUID'] = new Binary(uuid, 4);
    doc['ns'] = kind === 'dropDatabase' ? { db: ns.db } : { db: ns.db, coll: ns.coll };
    if (catalog) this.addCatalogChange(doc, change);
    const bytes = change.after ?? change.before;
    if (bytes) {
      doc['documentKey'] = { _id: readField(bytes, '_id') };
      if (description) doc['updateDescription'] = updateDescriptionDoc(description, showExpandedEvents);
      await this.addImages(doc, change, shownKind);
    }
    return doc;
  }

  private head({ time, wallTime }: Change, token: Doc, operationType: string): Doc {
    const doc = newDoc();
    doc['_id'] = token;
    doc['operationType'] = operationType;
    doc['clusterTime'] = new Timestamp({ t: time.t, i: time.i });
    doc['wallTime'] = new Date(wallTime);
    return doc;
  }

  private addCatalogChange(doc: Doc, { kind, catalog }: Change): void {
    const { to, operationDescription, stateBeforeChange } = catalog!;
    if (to) doc['to'] = { db: to.db, coll: to.coll };
    if (!this.options.showExpandedEvents || kind === 'drop') return;
    doc['operationDescription'] = operationDescription;
    if (stateBeforeChange) doc['stateBeforeChange'] = stateBeforeChange;
  }

  private async addImages(doc: Doc, change: Change, kind: ChangeKind): Promise<void> {
    const { fullDocument, beforeChange } = this.options;
    if (kind === 'insert' || kind === 'replace') doc['fullDocument'] = decode(change.after!);
    else if (kind === 'update' && fullDocument !== 'default') {
      doc['fullDocument'] =
        fullDocument === 'updateLookup' ? await this.lookUp(change) : this.postImage(doc, change);
    }
    if (kind !== 'insert' && beforeChange !== 'off') {
      doc['fullDocumentBeforeChange'] = this.preImage(doc, change);
    }
  }

  private postImage(doc: Doc, { images, after }: Change): Value {
    if (images) return decode(after!);
    if (this.options.fullDocument !== 'required') return null;
    throw imageMissing('post-image for all update events', 'post-image', doc);
  }

  private preImage(doc: Doc, { images, before }: Change): Value {
    if (images) return decode(before!);
    if (this.options.beforeChange !== 'required') return null;
    throw imageMissing('pre-image for all update, delete and replace events', 'pre-image', doc);
  }

  /** The current version of the document, or null if it or its collection no longer exists. */
  private async lookUp({ ns, uuid, after }: Change): Promise<Value> {
    const info = this.engine.collection(ns);
    if (!info || !uuid || Buffer.compare(info.uuid, uuid) !== 0) return null;
    const cursor = this.engine.find(ns, { filter: { _id: { $eq: readField(after!, '_id') } }, limit: 1 }, {});
    try {
      const { docs } = await cursor.next(1);
      return docs[0] ? decode(docs[0]) : null;
    } finally {
      cursor.close();
    }
  }

  private inScope(ns: Namespace): boolean {
    const { scope } = this.options;
    if (scope.kind === 'collection') return ns.coll === scope.coll && ns.db === scope.db;
    if (isSystem(ns)) return false;
    return scope.kind === 'database' ? ns.db === scope.db : !isInternal(ns.db);
  }
}

function imageMissing(
  wanted: string,
  image: string,
  { _id, operationType, ns, documentKey }: Doc,
): ServerError {
  const event = formatDoc({ _id, operationType, ns, documentKey });
  return new ServerError(
    'NoMatchingDocument',
    `Change stream was configured to require a ${wanted}, but the ${image} was not found for event: ${event}`,
  );
}
