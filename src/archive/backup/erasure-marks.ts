import { createReadStream } from 'node:fs';
import { mkdir, open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { mongo } from 'mongoose';
import { z } from 'zod';
import { hasCode } from './backup-error.js';
import { syncDirectory } from './stored-file.js';

export const MARKS = 'erasures.ndjson';
const COLLECTION = 'participant_erasures';
const BATCH = 500;
/** By how much the clocks of the machines that erase and that make backups may differ. */
const CLOCK_MARGIN_MS = 600_000;

/** Says that a participant was erased after backups were made that still contain them. */
export interface ErasureMark {
  tenantId: string;
  /** Keyed hash of the participant's id. */
  participantHash: string;
  erasedAt: Date;
}

const markSchema = z.object({
  tenantId: z.string().min(1),
  participantHash: z.string().min(1),
  erasedAt: z.iso.datetime().transform((text) => new Date(text)),
});

const NEWLINE = 0x0a;

/**
 * Marks the backups in `dir`: a restore of one that is older than the mark erases the participant again. The
 * mark is on disk when this resolves.
 */
export async function markBackups(dir: string, mark: ErasureMark): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const handle = await open(join(dir, MARKS), 'a+', 0o600);
  try {
    const { size } = await handle.stat();
    const last = Buffer.alloc(1, NEWLINE);
    if (size > 0) await handle.read(last, 0, 1, size - 1);
    const { tenantId, participantHash, erasedAt } = mark;
    const line = `${JSON.stringify({ tenantId, participantHash, erasedAt: erasedAt.toISOString() })}\n`;
    // A line that a crash has cut off was never acknowledged. It must not swallow this one.
    await handle.appendFile(last[0] === NEWLINE ? line : `\n${line}`);
    await handle.sync();
    if (size === 0) await syncDirectory(dir);
  } finally {
    await handle.close();
  }
}

const parseMark = (line: string): ErasureMark | undefined => {
  try {
    return markSchema.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
};

/**
 * The marks next to the backups in `dir` that are not older than `since`, with a margin for clocks that differ. So
 * what an erased participant wrote in the minutes before the backup is erased as well, which is the lesser harm.
 * @param onDamaged called for each line that is no mark. It may be one that a crash has cut off, which was never
 * acknowledged, or the damaged mark of a participant, who then is not erased again.
 */
export async function* marksSince(
  dir: string,
  since: Date,
  onDamaged: () => void,
): AsyncGenerator<ErasureMark> {
  if (!(await hasMarks(dir))) return;
  const from = since.getTime() - CLOCK_MARGIN_MS;
  const input = createReadStream(join(dir, MARKS), 'utf8');
  for await (const line of createInterface({ input, crlfDelay: Infinity })) {
    if (line === '') continue;
    const mark = parseMark(line);
    if (!mark) onDamaged();
    else if (mark.erasedAt.getTime() >= from) yield mark;
  }
}

export async function hasMarks(dir: string): Promise<boolean> {
  try {
    return (await stat(join(dir, MARKS))).isFile();
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
}

/**
 * Enters marks into a restored database as erasures that are not done yet. The service erases these
 * participants again when it starts.
 */
export async function enterErasures(database: mongo.Db, marks: AsyncIterable<ErasureMark>): Promise<number> {
  const collection = database.collection(COLLECTION);
  let entered = 0;
  let batch: mongo.AnyBulkWriteOperation[] = [];
  const write = async (): Promise<void> => {
    if (batch.length === 0) return;
    await collection.bulkWrite(batch, { writeConcern: { w: 'majority' } });
    entered += batch.length;
    batch = [];
  };
  for await (const { tenantId, participantHash, erasedAt } of marks) {
    const update = { $max: { erasedAt }, $set: { state: 'pending' } };
    batch.push({ updateOne: { filter: { tenantId, participantHash }, update, upsert: true } });
    if (batch.length === BATCH) await write();
  }
  await write();
  return entered;
}
