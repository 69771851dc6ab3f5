import { open, readFile, rename, rm, truncate } from 'node:fs/promises';
import { z } from 'zod';
import { NO_LINES } from './lines.js';

const stateSchema = z.object({
  version: z.literal(1),
  /** The target of these lines. The state is not valid for another target. */
  url: z.string(),
  tenantId: z.string(),
  /** How lines are read; read differently, they would be different transcripts. */
  reading: z.string(),
  /** The number of lines at the start of the file that are done: accepted, rejected or empty. */
  lines: z.int().min(0),
  /** Fingerprint of these lines. */
  fingerprint: z.string(),
  accepted: z.int().min(0),
  rejected: z.int().min(0),
  /** Length of the file of rejected lines, in bytes. */
  rejectedBytes: z.int().min(0),
});

/** The progress of an import. */
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

/**
 * Reads the state from a file; undefined when there is no such file. @throws Error when the file contains
 * something else
 */
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
    throw new Error(`${path} is not the state file of an import; remove it, or pass --restart.`, {
      cause: error,
    });
  }
}

/**
 * Replaces the file atomically, so that it contains either the old text or the new one, and syncs it to disk.
 */
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
 * Stores the progress of an import on disk, together with the rejected lines up to that point. After a kill
 * at any moment, the state of an earlier moment remains. Rejected lines beyond that state are removed when
 * the import continues.
 */
export class Checkpoint {
  private pending = '';
  private saving: Promise<void> = Promise.resolve();

  private constructor(
    private readonly files: CheckpointFiles,
    private state: ImportState,
  ) {}

  /** Continues from `state`. */
  static async open(files: CheckpointFiles, state: ImportState): Promise<Checkpoint> {
    if (state.rejectedBytes === 0) await rm(files.rejected, { force: true });
    else await truncate(files.rejected, state.rejectedBytes);
    return new Checkpoint(files, state);
  }

  get current(): ImportState {
    return this.state;
  }

  /** Records that one more line is done. `rejectedLine` is written to the file of rejected lines. */
  advance(changes: Partial<ImportState>, rejectedLine = ''): void {
    this.pending += rejectedLine;
    this.state = {
      ...this.state,
      ...changes,
      rejectedBytes: this.state.rejectedBytes + Buffer.byteLength(rejectedLine),
    };
  }

  /** Resolves when everything recorded before the call is on disk. */
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
