import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { runChild } from './child.mjs';
import { root } from './paths.mjs';
import { say } from './report.mjs';

const specFolders = ['src', 'packages', 'scripts', 'test'];

/**
 * @param {string} folder @param {RegExp} pattern @returns {boolean} whether a spec in it contains text that
 * matches
 */
function mentions(folder, pattern) {
  if (!existsSync(folder)) return false;
  return readdirSync(folder, { withFileTypes: true }).some((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return mentions(path, pattern);
    return entry.name.endsWith('.spec.ts') && pattern.test(readFileSync(path, 'utf8'));
  });
}

/** @param {RegExp} pattern @returns {boolean} whether any spec contains text that matches */
export function specsMention(pattern) {
  return specFolders.some((folder) => mentions(join(root, folder), pattern));
}

/** @param {string} program @returns {string | undefined} the path of the program */
export function onPath(program) {
  return (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, program))
    .find((path) => existsSync(path));
}

/**
 * Installs a system package that contains a program with the same name.
 *
 * @param {string} name
 * @returns {Promise<string | undefined>} why the installation failed; undefined when it succeeded
 */
export async function installSystemPackage(name) {
  if (!onPath('apt-get')) return `${name} is not on the PATH`;
  if (process.getuid?.() !== 0) return `${name} is not on the PATH, and only root may install it`;
  say(`Installing ${name} for the tests (apt-get) …`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  for (const args of [
    ['update', '-qq'],
    ['install', '-y', '-qq', '--no-install-recommends', name],
  ]) {
    const { code } = await runChild('apt-get', args, { env, capture: true });
    if (code !== 0) return `apt-get ${args[0]} failed with exit code ${code}`;
  }
  return onPath(name) ? undefined : `${name} is not on the PATH`;
}
