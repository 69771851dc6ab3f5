import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

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

/** The version of this package, from the package.json above one of the folders; `unknown` when there is none. */
export function packageVersion(
  from: readonly string[] = [dirname(process.argv[1] ?? '.'), process.cwd()],
): string {
  for (const start of from) {
    for (let folder = start; ; folder = dirname(folder)) {
      const version = versionAt(folder);
      if (version !== undefined) return version;
      if (folder === dirname(folder)) break;
    }
  }
  return 'unknown';
}
