import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PACKAGE = 'colloquy';

function versionAt(folder: string): string | undefined {
  try {
    const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
      name?: string;
      version?: string;
    };
    return name === PACKAGE ? version : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Returns the version of this program from the nearest package.json of this package above `start`, or
 * `unknown` when there is none. `start` defaults to the folder of this file; sources and build output are at
 * different depths below the root.
 */
export function programVersion(start = dirname(fileURLToPath(import.meta.url))): string {
  for (let folder = start; ; folder = dirname(folder)) {
    const version = versionAt(folder);
    if (version !== undefined) return version;
    if (folder === dirname(folder)) return 'unknown';
  }
}
