import { pathToFileURL } from 'node:url';

/**
 * Runs a compiled module as if Node.js had been started with it: `process.argv` names it, stack traces show the
 * TypeScript sources. The module starts itself when it is imported.
 *
 * @param {string} path absolute
 * @param {string[]} args
 * @param {string} [preload] absolute path of a module that is loaded before, as by `node --import`
 */
export async function runBuilt(path, args, preload) {
  process.setSourceMapsEnabled(true);
  process.argv = [process.execPath, path, ...args];
  if (preload !== undefined) await import(pathToFileURL(preload).href);
  await import(pathToFileURL(path).href);
}
