import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { forgetOwner, withReadableStore } from './owner.js';
import { makePrivate } from './private-files.js';

/** The last attempt does without compaction, which refuses a store with pages that nothing refers to. */
const attempts = [{ compact: true }, { compact: true }, { compact: false }];

const removeContents = (dir: string): void => {
  for (const name of readdirSync(dir)) rmSync(join(dir, name), { recursive: true, force: true });
};

const isDiskFull = (error: unknown): boolean =>
  error instanceof Error && /no space left|disk quota/i.test(error.message);

/**
 * Copies a consistent snapshot of the store in `from` to `to`, an empty or missing directory, whichever
 * process has the store open, or none. The copy has no free pages, which still contain deleted documents, and
 * no owner. It is not flushed to disk. A copy that fails leaves an empty directory.
 */
export const copyStore = async (from: string, to: string): Promise<void> => {
  if (!existsSync(join(from, 'data.mdb'))) throw new Error(`there is no store in ${from}`);
  if (existsSync(to) && readdirSync(to).length > 0)
    throw new Error(`the directory for a copy must be empty: ${to}`);
  makePrivate(to);
  for (const [nth, { compact }] of attempts.entries()) {
    try {
      // Opened for each attempt: a store that another process has enlarged since it was opened here cannot be
      // read.
      await withReadableStore(from, (store) => store.copy(to, compact));
      await forgetOwner(to);
      makePrivate(to);
      return;
    } catch (error) {
      removeContents(to);
      if (isDiskFull(error) || nth === attempts.length - 1) throw error;
    }
  }
};
