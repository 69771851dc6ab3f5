import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const named = (value: unknown): value is { name: string; version: string } =>
  typeof value === 'object' &&
  value !== null &&
  'name' in value &&
  value.name === 'colloquy' &&
  'version' in value;

let found: string | undefined;

/** Version of this program, as its package.json says; the sources and the build lie at different depths beneath it. */
export function programVersion(): string {
  if (found !== undefined) return found;
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const file = join(folder, 'package.json');
    const content: unknown = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
    if (named(content)) return (found = content.version);
    if (folder === dirname(folder)) return (found = 'unknown');
  }
}
