import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A new DATA_DIR for one application. */
export function createDataDir(): { dataDir: string; removeDataDir: () => void } {
  const dataDir = mkdtempSync(join(tmpdir(), 'colloquy-data-'));
  return {
    dataDir,
    removeDataDir: () => {
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
