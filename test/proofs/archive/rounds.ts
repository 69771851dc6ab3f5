import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { mongo } from 'mongoose';
import { ArchiveFiles } from '../../../src/archive/archive-files.js';
import type { ArchiveRecord } from '../../../src/archive/archive.schema.js';
import { DirectoryArchiveStore } from '../../../src/archive/directory-archive-store.js';
import { decodeExactly, encodeExactly, type ExactDocument } from '../../../src/database/index.js';
import { seededRandom } from '../../support/random.js';
import { ServiceProcess } from '../../support/service-process.js';

export interface ArchiveCrashRun {
  /** Number of kills. */
  rounds: number;
  seed: number;
  /** Path of the built archive-child.js. */
  main: string;
  cwd: string;
  onRound?: (round: ArchiveCrashRound) => void;
}

export interface ArchiveCrashRound {
  round: number;
  work: Work;
  /** Milliseconds from the beginning of the work to the kill; null if the work ended before. */
  killedAfterMs: number | null;
  /** Documents in the database alone, in archives alone, and in both. */
  inDatabase: number;
  inArchives: number;
  inBoth: number;
  /** Documents that are in neither, or not as they were. */
  lost: number;
}

export interface ArchiveCrashResult {
  documents: number;
  rounds: ArchiveCrashRound[];
  /** Documents per collection that a whole run, and the sweep after it, left in the database. */
  notArchived: Record<string, number>;
  /** Documents per collection that are missing from the database after a whole restore, or have changed. */
  notRestored: Record<string, number>;
}

type Work = 'archive' | 'restore';

const isDone = (message: unknown): message is object =>
  typeof message === 'object' && message !== null && 'type' in message && message.type === 'done';

const tenants = ['acme', 'globex'];
const collections = ['conversations', 'messages', 'transcripts', 'jobs'];

const CONVERSATIONS = 60;
const MESSAGES = 12;
const LARGE = 1300;
const OTHERS = 40;

const decimal = (value: number): mongo.Decimal128 => mongo.Decimal128.fromString(`${value}.50`);

/** Documents of all kinds and BSON types that are old enough to be archived. */
function documentsOf(tenantId: string): Record<string, mongo.Document[]> {
  const found: Record<string, mongo.Document[]> = {
    conversations: [],
    messages: [],
    transcripts: [],
    jobs: [],
  };
  const date = new Date('2020-01-01T00:00:00Z');
  const stamp = (at: number): Date => new Date(date.getTime() + at * 1000);
  for (let at = 0; at < CONVERSATIONS; at++) {
    const _id = new mongo.ObjectId();
    const length = at === 5 ? LARGE : MESSAGES;
    const base = { tenantId, participantId: `p${at % 7}`, channel: 'web', isActive: at % 2 === 0 };
    const metadata = {
      int: new mongo.Int32(at),
      double: new mongo.Double(at),
      decimal: decimal(at),
      b: 1,
      1: 2,
    };
    const times = { createdAt: stamp(at), updatedAt: stamp(at) };
    found['conversations']?.push({ _id, ...base, metadata, messageCount: length, lastSeq: length, ...times });
    for (let seq = 1; seq <= length; seq++)
      found['messages']?.push({
        _id: new mongo.ObjectId(),
        tenantId,
        conversationId: _id,
        seq,
        role: 'user',
        content: `Message ${seq} of conversation ${at}`,
        attachments: [],
        externalKey: `${at}-${seq}`,
        metadata: seq % 3 === 0 ? { $oid: 'odd', long: mongo.Long.fromNumber(seq) } : {},
        timestamp: stamp(at + seq),
      });
  }
  for (let at = 0; at < OTHERS; at++) {
    const _id = new mongo.ObjectId();
    found['transcripts']?.push({
      ...{ _id, tenantId, participantId: `p${at % 7}`, channel: 'web', transcript: `Text ${at}` },
      ...{ metadata: {}, status: 'stored', model: 'm', vector: new mongo.Binary(Buffer.alloc(64, at)) },
      ...{ changeSeq: 1, createdAt: stamp(at), storedAt: stamp(at) },
    });
    found['jobs']?.push({
      ...{
        _id: new mongo.ObjectId(),
        tenantId,
        queue: 'old',
        payload: { at },
        state: 'completed',
        priority: 5,
      },
      ...{
        dueAt: stamp(at),
        attempts: 1,
        progress: 100,
        failures: [],
        createdAt: stamp(at),
        updatedAt: stamp(at),
      },
    });
  }
  return found;
}

/** Identifies a document with all its contents. The number of its change is not part of a transcript. */
function digestOf(collection: string, document: ExactDocument): string {
  const kept = collection === 'transcripts' ? { ...document, changeSeq: null } : document;
  return `${collection} ${createHash('sha256').update(encodeExactly(kept)).digest('hex')}`;
}

function perCollection(digests: Iterable<string>): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const digest of digests) {
    const [collection = ''] = digest.split(' ');
    counts[collection] = (counts[collection] ?? 0) + 1;
  }
  return counts;
}

class ArchiveCrashRounds {
  private readonly random: () => number;
  private process: ServiceProcess | undefined;
  private originals = new Set<string>();
  /** How long each kind of work takes if it is not killed, milliseconds. */
  private readonly lasts: Record<Work, number> = { archive: 10_000, restore: 10_000 };
  private readonly files: ArchiveFiles;

  constructor(private readonly options: ArchiveCrashRun) {
    this.random = seededRandom(options.seed);
    this.files = new ArchiveFiles(new DirectoryArchiveStore(join(options.cwd, 'archives')));
  }

  async run(): Promise<ArchiveCrashResult> {
    try {
      await this.start();
      await this.fill();
      const rounds: ArchiveCrashRound[] = [];
      // What ended before the kill does not count.
      for (let kills = 0; kills < this.options.rounds;) {
        const round = rounds.length + 1;
        const result = await this.round(round, round % 2 === 1 ? 'archive' : 'restore');
        if (result.killedAfterMs !== null) kills++;
        rounds.push(result);
        this.options.onRound?.(result);
      }
      await this.ask('archive');
      await this.ask('sweep');
      const notArchived = perCollection(await this.inDatabase());
      await this.ask('restore');
      const restored = await this.inDatabase();
      const missing = [...this.originals].filter((digest) => !restored.has(digest));
      const others = [...restored].filter((digest) => !this.originals.has(digest));
      return {
        documents: this.originals.size,
        rounds,
        notArchived,
        notRestored: perCollection([...missing, ...others]),
      };
    } finally {
      await this.process?.kill('SIGKILL');
    }
  }

  private async start(): Promise<void> {
    const { cwd, main } = this.options;
    this.process = await ServiceProcess.start({
      main,
      cwd,
      env: {
        NODE_ENV: 'test',
        DATA_DIR: join(cwd, 'data'),
        ARCHIVE_DIR: join(cwd, 'archives'),
        ARCHIVE_SCHEDULE: 'off',
        ARCHIVE_MAX_ROWS: '500',
        RETENTION_RESTORED_DAYS: '0',
        LOG_LEVEL: 'warn',
      },
      args: tenants,
    });
  }

  private async fill(): Promise<void> {
    await this.withDatabase(async (db) => {
      const now = new Date();
      for (const tenantId of tenants) {
        const documents = documentsOf(tenantId);
        for (const [name, rows] of Object.entries(documents)) await db.collection(name).insertMany(rows);
        await db.collection('tenants').insertOne({
          ...{ tenantId, name: tenantId, plan: 'free', isActive: true, createdAt: now, updatedAt: now },
        });
      }
    });
    this.originals = await this.inDatabase();
  }

  private async round(round: number, work: Work): Promise<ArchiveCrashRound> {
    const begun = performance.now();
    const ended = this.ask(work).then(() => true);
    const killAfterMs = this.random() * this.lasts[work] * 1.1;
    const hasEnded = await Promise.race([ended, delay(killAfterMs).then(() => false)]);
    if (hasEnded) this.lasts[work] = Math.max(this.lasts[work] / 2, performance.now() - begun);
    ended.catch(() => undefined);
    await this.process?.kill('SIGKILL');
    await this.start();
    await this.freeClaims();
    return { round, work, killedAfterMs: hasEnded ? null : Math.round(killAfterMs), ...(await this.where()) };
  }

  /** Nobody has to wait until the claims of the killed process expire. */
  private async freeClaims(): Promise<void> {
    await this.withDatabase((db) =>
      db.collection('schedules').updateMany({}, { $unset: { holder: 1, heldUntil: 1 } }),
    );
  }

  private async ask(work: Work | 'sweep'): Promise<void> {
    const { process } = this;
    if (!process) throw new Error('the process has not started');
    await process.ask(work, isDone);
  }

  private async withDatabase<T>(read: (db: mongo.Db) => Promise<T>): Promise<T> {
    const client = await mongo.MongoClient.connect(this.process?.url ?? '');
    try {
      return await read(client.db('colloquy'));
    } finally {
      await client.close();
    }
  }

  /** Digests of the documents that requests can see. */
  private inDatabase(): Promise<Set<string>> {
    return this.withDatabase(async (db) => {
      const found = new Set<string>();
      for (const name of collections) {
        const rows = db.collection(name).find({ tenantId: { $in: tenants } }, { raw: true });
        for await (const bytes of rows) {
          const document = decodeExactly(bytes as unknown as Uint8Array);
          if (document['archiveId'] === undefined) found.add(digestOf(name, document));
        }
      }
      return found;
    });
  }

  private async inArchives(): Promise<Set<string>> {
    const archives = await this.withDatabase((db) =>
      db
        .collection<ArchiveRecord>('archives')
        .find({ contents: { $exists: true } })
        .toArray(),
    );
    const found = new Set<string>();
    for (const { contents } of archives)
      if (contents)
        for await (const { collection, document } of this.files.rows(contents))
          found.add(digestOf(collection, document));
    return found;
  }

  private async where(): Promise<Pick<ArchiveCrashRound, 'inDatabase' | 'inArchives' | 'inBoth' | 'lost'>> {
    const database = await this.inDatabase();
    const archives = await this.inArchives();
    const count = { inDatabase: 0, inArchives: 0, inBoth: 0, lost: 0 };
    for (const digest of this.originals) {
      const [inDatabase, inArchives] = [database.has(digest), archives.has(digest)];
      if (inDatabase && inArchives) count.inBoth++;
      else if (inDatabase) count.inDatabase++;
      else if (inArchives) count.inArchives++;
      else count.lost++;
    }
    return count;
  }
}

/**
 * Kills a process with SIGKILL at random moments while it archives or restores, with its embedded store, and
 * checks each time that every document is in the database or in a verified archive, exactly as it was.
 */
export const runArchiveCrashRounds = (options: ArchiveCrashRun): Promise<ArchiveCrashResult> =>
  new ArchiveCrashRounds(options).run();

const isEmpty = (counts: Record<string, number>): boolean => Object.keys(counts).length === 0;

export const isClean = ({ rounds, notArchived, notRestored }: ArchiveCrashResult): boolean =>
  isEmpty(notArchived) && isEmpty(notRestored) && rounds.every(({ lost }) => lost === 0);
