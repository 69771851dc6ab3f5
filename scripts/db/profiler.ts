import { setTimeout as delay } from 'node:timers/promises';
import type { mongo } from 'mongoose';

type Doc = mongo.Document;

export interface ProfileOptions {
  seconds: number;
  /** Only operations that take at least this many milliseconds; 0: all. */
  slowMs: number;
  /** Stops the profile early. */
  signal: AbortSignal;
  /** Application name of the tool, whose own commands are excluded. */
  appName: string;
}

/** The profile is a small capped collection whose oldest entries are overwritten, so it is read often. */
const POLL_MS = 100;
const CAPPED_POSITION_LOST = 136;

/** Reads new entries of the profile of one database. */
class ProfileReader {
  /** How often entries were overwritten before they were read. */
  overruns = 0;
  private cursor: mongo.FindCursor<Doc> | undefined;
  private last: Date;

  constructor(
    private readonly db: mongo.Db,
    private readonly appName: string,
    since: Date,
    private readonly onEntry: (entry: Doc) => void,
  ) {
    this.last = since;
  }

  /** Reads all available entries without waiting for more. */
  async poll(): Promise<void> {
    this.cursor ??= this.open();
    try {
      for (;;) {
        const entry = await this.cursor.tryNext();
        if (!entry) break;
        this.last = entry['ts'] as Date;
        this.onEntry(entry);
      }
      if (this.cursor.closed || this.cursor.id?.isZero()) await this.close();
    } catch (error) {
      await this.close();
      if ((error as { code?: unknown }).code !== CAPPED_POSITION_LOST) throw error;
      this.overruns++;
    }
  }

  async close(): Promise<void> {
    await this.cursor?.close();
    this.cursor = undefined;
  }

  private open(): mongo.FindCursor<Doc> {
    const filter = {
      ts: { $gt: this.last },
      appName: { $ne: this.appName },
      ns: { $ne: `${this.db.databaseName}.system.profile` },
    };
    return this.db
      .collection('system.profile')
      .find(filter, { tailable: true, awaitData: false, batchSize: 1000 });
  }
}

/** Converts the reply to `profile: -1` to the command that restores those settings. */
function restoring(was: Doc): Doc {
  const { was: level, slowms, sampleRate, filter } = was;
  return {
    profile: Number(level),
    ...(slowms !== undefined && { slowms: slowms as number }),
    ...(sampleRate !== undefined && { sampleRate: sampleRate as number }),
    ...(filter !== undefined && { filter: filter as Doc }),
  };
}

/**
 * Profiles a database for a while and passes each operation to `onEntry`. However this ends, the profiling
 * level, its threshold and its filter are restored.
 *
 * @returns how often the profile overflowed, so that operations are missing
 * @throws MongoServerError when the server rejects profiling: it requires the role dbAdmin, and mongos does
 * not support it
 */
export async function profile(
  db: mongo.Db,
  { seconds, slowMs, signal, appName }: ProfileOptions,
  onEntry: (entry: Doc) => void,
): Promise<number> {
  const was = await db.command({ profile: -1 });
  const level = slowMs > 0 ? { profile: 1, slowms: slowMs, sampleRate: 1 } : { profile: 2 };
  // Entries contain times of the server, whose clock may differ from ours.
  const { localTime } = await db.command({ hello: 1 });
  const reader = new ProfileReader(db, appName, localTime as Date, onEntry);
  try {
    await db.command({ ...level, ...(was['filter'] !== undefined && { filter: 'unset' }) });
    const until = performance.now() + seconds * 1000;
    while (!signal.aborted && performance.now() < until) {
      await reader.poll();
      const left = Math.max(0, Math.min(POLL_MS, until - performance.now()));
      await delay(left, undefined, { signal }).catch(() => undefined);
    }
  } finally {
    await db.command(restoring(was));
  }
  await reader.poll();
  await reader.close();
  return reader.overruns;
}
