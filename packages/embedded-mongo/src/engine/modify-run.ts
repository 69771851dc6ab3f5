import { ServerError } from '../values/errors.js';
import type { Collection } from './catalog.js';
import { documentKey } from './key-layout.js';
import { PreparedQuery } from './prepared-query.js';
import type { QuerySpec } from './prepared-query.js';
import { RecordSource, Slice } from './record-source.js';
import { StoredDocument } from './stored-document.js';
import type { OpContext } from './types.js';
import { Blocked } from './write-queue.js';
import type { Step } from './write-runner.js';
import type { Writer } from './writer.js';

/**
 * Maximum number of matches that a multi-document statement collects before changing them. Changing them
 * afterwards ensures that the scan never encounters its own changes.
 */
const GATHER = 200;
const MAX_RESTARTS = 10;

export interface Match {
  recordId: number;
  document: StoredDocument;
}

/** What a statement does with its matches. Both methods compute everything before they write. */
export interface ModifyAction {
  readonly multi: boolean;
  change(writer: Writer, match: Match, query: PreparedQuery): void;
  /** Called when nothing matches. An upsert inserts here. */
  none(writer: Writer): void;
}

/**
 * Runs one update or delete statement in steps: find matches, then change them. Other writers run between
 * steps, so matches are checked again before they are changed. The change of a single document is atomic; a
 * statement that changes several documents is not.
 */
export class ModifyRun {
  private readonly query: PreparedQuery;
  private source: RecordSource;
  private gathered: Match[] = [];
  private gatheredNow = false;
  private scanDone = false;
  private best: (Match & { key: readonly unknown[] }) | undefined;
  private found = false;
  /** A match was changed by another writer before this statement could change it. */
  private lost = false;
  private steps = 0;
  private restarts = 0;

  constructor(
    private readonly collection: Collection,
    private readonly spec: QuerySpec,
    private readonly action: ModifyAction,
    writer: Writer,
    private readonly ctx: OpContext,
  ) {
    this.query = new PreparedQuery(collection, spec, writer.txn?.snapshotSeq);
    this.source = this.newSource();
  }

  step(writer: Writer): Step {
    this.steps++;
    this.gatheredNow = false;
    if (this.gathered.length === 0 && !this.scanDone) this.gather(writer);
    const blocked = this.changeGathered(writer);
    if (blocked) {
      // A statement for a single match starts its search again, because another document may be first by
      // then.
      if (!this.action.multi) this.restart();
      return blocked;
    }
    if (!this.scanDone && (this.action.multi || !this.found)) return 'more';
    return this.found ? 'done' : this.finishEmpty(writer);
  }

  private newSource(): RecordSource {
    return new RecordSource(this.collection, this.query, this.action.multi, this.ctx);
  }

  private gather(writer: Writer): void {
    const { blockingSort } = this.query;
    const room = this.action.multi ? GATHER : 1;
    this.gatheredNow = true;
    const state = this.source.run(writer.view, new Slice(), (recordId, document) => {
      if (blockingSort && !this.action.multi) {
        const key = blockingSort.sortKey(document.doc);
        if (!this.best || blockingSort.compareKeys(key, this.best.key as typeof key) < 0) {
          this.best = { recordId, document, key };
        }
        return true;
      }
      this.gathered.push({ recordId, document });
      return this.gathered.length < room;
    });
    if (state === 'done') this.scanDone = true;
    if (this.scanDone && this.best) {
      this.gathered.push(this.best);
      this.best = undefined;
      // The best match may have been found in an earlier step.
      this.gatheredNow = this.steps === 1;
    }
  }

  private changeGathered(writer: Writer): Blocked | undefined {
    let done = 0;
    try {
      for (const match of this.gathered) {
        const current = this.gatheredNow ? match : this.reread(writer, match);
        if (!current) this.lost = true;
        else {
          this.action.change(writer, current, this.query);
          this.found = true;
        }
        done++;
        if (current && !this.action.multi) break;
      }
    } catch (error) {
      if (error instanceof Blocked) return error;
      throw error;
    } finally {
      this.gathered = this.gathered.slice(done);
    }
    return undefined;
  }

  /** Reads the record again and returns it if it still matches. */
  private reread(writer: Writer, { recordId }: Match): Match | undefined {
    const bytes = writer.view.get(documentKey(this.collection.id, recordId));
    if (!bytes) return undefined;
    const document = new StoredDocument(bytes);
    return this.query.filter.matches(document.doc) ? { recordId, document } : undefined;
  }

  /**
   * Called when the scan ends without a change. If it took several steps, other writers may have changed its
   * match, or inserted the document that an upsert would insert. In that case the search starts again.
   */
  private finishEmpty(writer: Writer): Step {
    if (this.lost && !this.action.multi && this.restarts++ < MAX_RESTARTS) return this.restart();
    try {
      this.action.none(writer);
    } catch (error) {
      if (error instanceof Blocked) return error;
      const duplicate = error instanceof ServerError && error.code === 11000;
      if (!duplicate || this.steps === 1 || this.restarts++ >= MAX_RESTARTS) throw error;
      return this.restart();
    }
    return 'done';
  }

  private restart(): Step {
    this.steps = 0;
    this.scanDone = false;
    this.lost = false;
    this.gathered = [];
    this.best = undefined;
    this.source = this.newSource();
    return 'more';
  }
}
