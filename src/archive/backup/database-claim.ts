import { mongo } from 'mongoose';
import { RESTORE_MARKER } from '../../config/index.js';
import { BackupError } from './backup-error.js';
import {
  DEAD_AFTER_MS,
  described,
  HEARTBEAT_MS,
  isAlive,
  letGo,
  newOwner,
  type Owner,
} from './claim-owner.js';
import { collectionsOf } from './store-on-disk.js';

const ID = 'restore';
const DUPLICATE_KEY = 11_000;
const durably = { writeConcern: { w: 'majority' } } as const;

interface Marker {
  _id: typeof ID;
  owner?: Owner;
  /** By the clock of the server. */
  seenAt?: Date;
}

const markerOf = (database: mongo.Db): mongo.Collection<Marker> => database.collection(RESTORE_MARKER);

/** The collections of a database other than the marker. */
const othersIn = async (database: mongo.Db): Promise<string[]> =>
  (await collectionsOf(database)).map(({ name }) => name).filter((name) => name !== RESTORE_MARKER);

const notEmpty = (database: mongo.Db, names: readonly string[]): BackupError =>
  new BackupError(
    `The database "${database.databaseName}" is not empty: it contains ${names.slice(0, 3).join(', ')}. Name another database in MONGODB_URI, or drop this one.`,
  );

const running = (database: mongo.Db, owner: Owner | undefined): BackupError =>
  new BackupError(
    `A restore into the database "${database.databaseName}" is running: ${described(owner)}. Wait until it has ended. If it was killed, repeat this in two minutes.`,
  );

/** Whether a restore is at work, and not one that was interrupted. */
async function isHeld(database: mongo.Db, { owner, seenAt }: Marker): Promise<boolean> {
  if (!owner || !seenAt) return false;
  const { localTime } = (await database.command({ hello: 1 })) as { localTime?: Date };
  return isAlive(owner, (localTime ?? new Date()).getTime() - seenAt.getTime());
}

/** Takes the marker, unless another restore has been quicker. */
async function take(database: mongo.Db, found: Marker | null, owner: Owner): Promise<boolean> {
  const update = { $set: { owner }, $currentDate: { seenAt: true } } as const;
  try {
    const { matchedCount, upsertedCount } = await markerOf(database).updateOne(
      { _id: ID, seenAt: found?.seenAt ?? null } as mongo.Filter<Marker>,
      update,
      { upsert: found === null, ...durably },
    );
    return matchedCount + upsertedCount === 1;
  } catch (error) {
    if (error instanceof mongo.MongoServerError && error.code === DUPLICATE_KEY) return false;
    throw error;
  }
}

/**
 * A database into which one restore works at a time. It has a marker until the restore is complete, so that no
 * service starts on it.
 */
export class DatabaseClaim {
  private readonly heartbeat: NodeJS.Timeout;
  private readonly lost = new AbortController();
  private seen = performance.now();

  private constructor(
    private readonly database: mongo.Db,
    private readonly owner: Owner,
  ) {
    this.heartbeat = setInterval(() => void this.beat(), HEARTBEAT_MS);
    this.heartbeat.unref();
  }

  /** Aborts if another restore may have taken over. */
  get signal(): AbortSignal {
    return this.lost.signal;
  }

  /**
   * Claims an empty database, or one that an interrupted restore has left, which is emptied.
   * @throws BackupError if it is not empty, or another restore is at work
   */
  static async claim(database: mongo.Db): Promise<DatabaseClaim> {
    const found = await markerOf(database).findOne({ _id: ID });
    if (found && (await isHeld(database, found))) throw running(database, found.owner);
    const before = found ? [] : await othersIn(database);
    if (before.length > 0) throw notEmpty(database, before);
    const owner = newOwner();
    try {
      if (!(await take(database, found, owner)))
        throw running(database, (await markerOf(database).findOne({ _id: ID }))?.owner);
      const left = await othersIn(database);
      if (!found && left.length > 0) {
        // Another restore, or a service, has filled it since.
        await markerOf(database).drop(durably);
        throw notEmpty(database, left);
      }
      for (const name of left) await database.collection(name).drop(durably);
      return new DatabaseClaim(database, owner);
    } catch (error) {
      letGo(owner);
      throw error;
    }
  }

  /** Deletes the marker: the restore is complete. @throws BackupError if another restore has taken over */
  async complete(): Promise<void> {
    this.lost.signal.throwIfAborted();
    if (!(await markerOf(this.database).findOne(this.own))) throw this.takenOver();
    await markerOf(this.database).drop(durably);
  }

  /** Ends the claim. Without `complete`, the next restore begins again at once. */
  async release(): Promise<void> {
    clearInterval(this.heartbeat);
    letGo(this.owner);
    // Without a connection, the claim expires.
    await markerOf(this.database)
      .updateOne(this.own, { $unset: { owner: 1 } })
      .catch(() => undefined);
  }

  private get own(): mongo.Filter<Marker> {
    return { _id: ID, 'owner.id': this.owner.id };
  }

  private async beat(): Promise<void> {
    try {
      const { matchedCount } = await markerOf(this.database).updateOne(this.own, {
        $currentDate: { seenAt: true },
      });
      if (matchedCount === 0) this.lost.abort(this.takenOver());
      else this.seen = performance.now();
    } catch {
      if (performance.now() - this.seen > DEAD_AFTER_MS) this.lost.abort(this.takenOver());
    }
  }

  private takenOver(): BackupError {
    return new BackupError(
      `Another restore has taken over the database "${this.database.databaseName}", because this one was not seen for two minutes.`,
    );
  }
}
