import { pathToFileURL } from 'node:url';

/**
 * Runs a compiled module as if Node.js had been started with it: `process.argv` contains its path, and stack
 * traces show the TypeScript sources. Importing the module starts it.
 *
 * @param {string} path absolute
 * @param {string[]} args
 * @param {string} [preload] absolute path of a module that is loaded first, as with `node --import`
 */
export async function runBuilt(path, args, preload) {
  process.setSourceMapsEnabled(true);
  process.argv = [process.execPath, path, ...args];
  if (preload !== undefined) await import(pathToFileURL(preload).href);
  await import(pathToFileURL(path).href);
}
