import { open, readFile, rename, rm, truncate } from 'node:fs/promises';
import { z } from 'zod';
import { NO_LINES } from './lines.js';

const stateSchema = z.object({
  version: z.literal(1),
  /** Where these lines went; another place has none of them. */
  url: z.string(),
  tenantId: z.string(),
  /** How lines are read: in another way they are other transcripts. */
  reading: z.string(),
  /** The first so many lines of the file are done: accepted, rejected or empty. */
  lines: z.int().min(0),
  /** Which lines these were. */
  fingerprint: z.string(),
  accepted: z.int().min(0),
  rejected: z.int().min(0),
  /** Length of the file of rejected lines, bytes. */
  rejectedBytes: z.int().min(0),
});

/** How far an import is. */
export type ImportState = z.output<typeof stateSchema>;

export const newState = (of: Pick<ImportState, 'url' | 'tenantId' | 'reading'>): ImportState => ({
  version: 1,
  ...of,
  lines: 0,
  fingerprint: NO_LINES,
  accepted: 0,
  rejected: 0,
  rejectedBytes: 0,
});

const isMissing = (error: unknown): boolean =>
  typeof error === 'object' && error !== null && 'code' in error && error.code === 'ENOENT';

/** The state in a file; undefined when there is no such file. @throws Error when it holds something else */
export async function readState(path: string): Promise<ImportState | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  try {
    return stateSchema.parse(JSON.parse(text));
  } catch (error) {
    throw new Error(`${path} is not the state of an import; remove it, or pass --restart.`, { cause: error });
  }
}

/** Writes the file so that it holds either the old text or the new one, and is on disk. */
async function replaceFile(path: string, text: string): Promise<void> {
  const file = await open(`${path}.new`, 'w');
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
}

export interface CheckpointFiles {
  state: string;
  rejected: string;
}

/**
 * Keeps on disk how far an import is, and the rejected lines up to there. A kill at any moment leaves the state of a moment before it; what the
 * file of rejected lines has beyond that is cut off when the import goes on.
 */
export class Checkpoint {
  private pending = '';
  private saving: Promise<void> = Promise.resolve();

  private constructor(
    private readonly files: CheckpointFiles,
    private state: ImportState,
  ) {}

  /** Goes on from `state`. */
  static async open(files: CheckpointFiles, state: ImportState): Promise<Checkpoint> {
    if (state.rejectedBytes === 0) await rm(files.rejected, { force: true });
    else await truncate(files.rejected, state.rejectedBytes);
    return new Checkpoint(files, state);
  }

  get current(): ImportState {
    return this.state;
  }

  /** Takes over that one more line is done; `rejectedLine` is written to the file of rejected ones. */
  advance(changes: Partial<ImportState>, rejectedLine = ''): void {
    this.pending += rejectedLine;
    this.state = {
      ...this.state,
      ...changes,
      rejectedBytes: this.state.rejectedBytes + Buffer.byteLength(rejectedLine),
    };
  }

  /** Resolves when all that was done before the call is on disk. */
  save(): Promise<void> {
    const saving = this.saving.then(() => this.write());
    this.saving = saving.catch(() => undefined);
    return saving;
  }

  private async write(): Promise<void> {
    const { pending, state } = this;
    if (pending !== '') {
      const file = await open(this.files.rejected, 'a');
      try {
        await file.writeFile(pending);
        await file.sync();
      } finally {
        await file.close();
      }
      this.pending = this.pending.slice(pending.length);
    }
    await replaceFile(this.files.state, `${JSON.stringify(state)}\n`);
  }
}
