import { pathToFileURL } from 'node:url';

/**
 * Runs a compiled module as if Node.js had been started with it: `process.argv` names it, stack traces show the
 * TypeScript sources. The module starts itself when it is imported.
 *
 * @param {string} path absolute
 * @param {string[]} args
 */
export async function runBuilt(path, args) {
  process.setSourceMapsEnabled(true);
  process.argv = [process.execPath, path, ...args];
  await import(pathToFileURL(path).href);
}
