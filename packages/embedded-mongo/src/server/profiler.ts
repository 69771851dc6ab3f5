import type { ProfileLevel, ProfilerStore, ProfileSettings } from '../commands/host.js';
import type { Engine } from '../engine/types.js';
import { compileFilter, type Filter } from '../query/matcher.js';
import { encode, formatDoc, int, isDoc, type Doc } from '../values/bson.js';
import type { ServerLog } from './server-log.js';

/** Size of each database's `system.profile`, bytes. */
const profileBytes = 1024 * 1024;
/** Maximum number of reports that wait to be written. Further ones are dropped. */
const maxPending = 1_000;
const defaultSlowMs = 100;
/** Maximum number of log lines about slow operations per second. Further ones are only counted. */
const maxLinesPerSecond = 20;

export const profileCollection = 'system.profile';

interface DatabaseSettings {
  level: ProfileLevel;
  filter: Doc | undefined;
  matcher: Filter | undefined;
}

const off: DatabaseSettings = { level: 0, filter: undefined, matcher: undefined };

/**
 * Records operations in a database's `system.profile` according to its profiling level, and slow operations
 * in the log. Reports are written after the replies are sent. Failures to write are only logged.
 */
export class Profiler implements ProfilerStore {
  /** True while profiling is on for some database. */
  active = false;
  slowMs = defaultSlowMs;
  private sampleRate = 1;
  private readonly databases = new Map<string, DatabaseSettings>();
  private pending: { db: string; doc: Uint8Array }[] = [];
  private writing: Promise<void> | undefined;
  private lost = 0;
  /** Start of the second, in milliseconds, to which `lines` applies. */
  private secondStart = -Infinity;
  private lines = 0;
  private leftOut = 0;

  constructor(
    private readonly engine: Engine,
    private readonly log: ServerLog,
    private readonly random: () => number = Math.random,
    private readonly clock: () => number = () => performance.now(),
  ) {}

  settings(db: string): ProfileSettings {
    const { level, filter } = this.databases.get(db) ?? off;
    return { level, slowMs: this.slowMs, sampleRate: this.sampleRate, filter };
  }

  async configure(
    db: string,
    change: { level?: ProfileLevel; slowMs?: number; sampleRate?: number; filter?: Doc | null },
  ): Promise<void> {
    const before = this.databases.get(db) ?? off;
    const filter = change.filter === undefined ? before.filter : (change.filter ?? undefined);
    const level = change.level ?? before.level;
    const after = { level, filter, matcher: filter && compileFilter(filter) };
    if (level > 0) await this.create(db);
    this.slowMs = change.slowMs ?? this.slowMs;
    this.sampleRate = change.sampleRate ?? this.sampleRate;
    this.databases.set(db, after);
    this.active = [...this.databases.values()].some((one) => one.level > 0);
  }

  /**
   * Records `report()` if the database's settings require it. Call it if any database profiles or the
   * operation is slow.
   */
  note(db: string, millis: number, report: () => Doc): void {
    const { level, matcher } = this.databases.get(db) ?? off;
    const slow = millis >= this.slowMs && (this.sampleRate >= 1 || this.random() < this.sampleRate);
    const logs = !matcher && slow && this.mayLog();
    if (level === 0 && !matcher && !logs) return;
    const doc = report();
    const chosen = matcher ? matcher.matches(doc) : undefined;
    if (logs || (chosen === true && this.mayLog())) this.logSlow(doc);
    if (level === 2 ? (chosen ?? true) : level === 1 && (chosen ?? slow)) this.keep(db, encode(doc));
  }

  /** Resolves when all previous reports are written. */
  async flush(): Promise<void> {
    while (this.writing) await this.writing;
  }

  /**
   * Returns false when the limit for this second is reached, so that an overloaded server does not log every
   * operation.
   */
  private mayLog(): boolean {
    const now = this.clock();
    if (now - this.secondStart >= 1_000) {
      this.secondStart = now;
      this.lines = 0;
    }
    if (this.lines >= maxLinesPerSecond) {
      this.leftOut += 1;
      return false;
    }
    this.lines += 1;
    return true;
  }

  private logSlow(report: Doc): void {
    this.log('info', 'Slow query', {
      ...summaryOf(report),
      ...(this.leftOut > 0 && { leftOut: this.leftOut }),
    });
    this.leftOut = 0;
  }

  private keep(db: string, doc: Uint8Array): void {
    if (this.pending.length >= maxPending) {
      this.lost += 1;
      return;
    }
    this.pending.push({ db, doc });
    this.writing ??= this.write().finally(() => (this.writing = undefined));
  }

  private async write(): Promise<void> {
    while (this.pending.length > 0) {
      const byDatabase = new Map<string, Uint8Array[]>();
      for (const { db, doc } of this.pending.splice(0)) {
        const docs = byDatabase.get(db);
        if (docs) docs.push(doc);
        else byDatabase.set(db, [doc]);
      }
      for (const [db, docs] of byDatabase) {
        try {
          await this.append(db, docs);
        } catch (error) {
          this.log('warn', 'failed to write operation reports to the profile', { db, error: String(error) });
        }
      }
      if (this.lost > 0)
        this.log('warn', 'dropped operation reports: too many were pending', { count: this.lost });
      this.lost = 0;
    }
  }

  private async append(db: string, docs: Uint8Array[]): Promise<void> {
    const ns = { db, coll: profileCollection };
    await this.create(db);
    await this.engine.insert(ns, docs, false, {});
  }

  private async create(db: string): Promise<void> {
    const ns = { db, coll: profileCollection };
    if (this.engine.collection(ns)) return;
    await this.engine.createCollection(ns, { capped: true, size: int(profileBytes) }, {});
  }
}

const shownFields = [
  'op',
  'ns',
  'millis',
  'planSummary',
  'keysExamined',
  'docsExamined',
  'nreturned',
  'errMsg',
  'appName',
];
const maxCommandText = 1_000;

/** The fields of a report that are logged: plain values, with the command as text. */
function summaryOf(report: Doc): object {
  const summary: Record<string, unknown> = {};
  for (const field of shownFields) if (report[field] !== undefined) summary[field] = report[field];
  const { command } = report;
  return { ...summary, command: isDoc(command) ? formatDoc(command).slice(0, maxCommandText) : undefined };
}
