import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A DATA_DIR of its own for one application of a test. */
export function createDataDir(): { dataDir: string; removeDataDir: () => void } {
  const dataDir = mkdtempSync(join(tmpdir(), 'colloquy-data-'));
  return {
    dataDir,
    removeDataDir: () => {
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
