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
 * Version of this program, as the package.json above `start` says; `unknown` when there is none. By default it begins here: the sources and the
 * build lie at different depths beneath it.
 */
export function programVersion(start = dirname(fileURLToPath(import.meta.url))): string {
  for (let folder = start; ; folder = dirname(folder)) {
    const version = versionAt(folder);
    if (version !== undefined) return version;
    if (folder === dirname(folder)) return 'unknown';
  }
}
