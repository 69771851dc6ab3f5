import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { Journal } from '../../src/journal/index.js';

/** A way to put records on disk, one call for each. */
export interface Contestant {
  append: () => Promise<unknown>;
  /** Times so far that the disk was asked to make writes durable. */
  syncs: () => number;
  close: () => Promise<void>;
}

/** A journal whose records are taken and ended at once, as by a pipeline that is never behind. */
export async function openJournal(bytes: number, dir: string): Promise<Contestant> {
  const journal = await Journal.open({ dir });
  const record = Buffer.alloc(bytes, 'r');
  // As in a service that has been up for a moment.
  while (journal.stats().readySegments < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  let isMoving = true;
  const moved = (async () => {
    while (isMoving) {
      const batch = await journal.take(1000, 8 * 1024 * 1024);
      if (batch) await batch.done();
      else await new Promise((resolve) => setTimeout(resolve, 5));
    }
  })();
  return {
    append: () => journal.append(record),
    syncs: () => journal.stats().syncs,
    close: async () => {
      isMoving = false;
      await moved;
      await journal.close();
    },
  };
}

/** A file that grows by each record, which is synced by itself. */
export async function openBare(bytes: number, dir: string): Promise<Contestant> {
  const handle = await open(join(dir, 'bare'), 'w');
  const record = Buffer.alloc(bytes, 'r');
  let count = 0;
  return {
    append: async () => {
      await handle.write(record, 0, bytes, count++ * bytes);
      await handle.datasync();
    },
    syncs: () => count,
    close: () => handle.close(),
  };
}
