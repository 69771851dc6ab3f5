// node scripts/run.mjs COMMAND [ARGUMENTS]: installs and builds when needed, then runs the compiled
// scripts/COMMAND.ts. Two commands take a name before the arguments: `verify NAME` runs test/proofs/NAME.ts,
// `bench NAME` runs bench/NAME.ts. Without a name they list what is available.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { dist, root } from './lib/paths.mjs';
import { stopWithParent } from './lib/parent.mjs';
import { prepare } from './lib/prepare.mjs';
import { Failure, runScript } from './lib/report.mjs';
import { runBuilt } from './lib/run-built.mjs';

/** @type {Readonly<Record<string, string>>} */
const folders = { verify: 'test/proofs', bench: 'bench' };

/**
 * The first sentence of the comment at the start of a source file, without the command.
 *
 * @param {string} path
 */
function summaryOf(path) {
  const [comment = ''] = /^(?:\/\/.*\n)+/m.exec(readFileSync(path, 'utf8')) ?? [];
  const text = comment.replaceAll(/^\/\/ ?/gm, '').replaceAll(/\s+/g, ' ');
  const described = text.replace(/^npm run \S+(?: -- [^:]+)?: /, '');
  return /^(.*?)[.:;](?: |$)/.exec(described)?.[1] ?? described;
}

/**
 * @param {string} folder @param {string} usage
 * @returns {string} the commands of a folder, each with its first sentence
 */
function listOf(folder, usage) {
  const names = readdirSync(join(root, folder)).flatMap((file) => /^([\w-]+)\.ts$/.exec(file)?.[1] ?? []);
  const width = Math.max(...names.map((name) => name.length));
  const lines = names.map(
    (name) => `  ${name.padEnd(width)}  ${summaryOf(join(root, folder, `${name}.ts`))}`,
  );
  return [`Usage: ${usage}`, '', ...lines].join('\n');
}

/** @param {string} name */
const isHelp = (name) => ['', '-h', '--help'].includes(name);

const [command = '', ...given] = process.argv.slice(2);
const named = folders[command];
const folder = named ?? 'scripts';
const [name = '', ...args] = named === undefined ? [command, ...given] : given;
const usage =
  named === undefined
    ? 'node scripts/run.mjs COMMAND [ARGUMENTS], or COMMAND --help; also: verify, bench'
    : `npm run ${command} -- NAME [ARGUMENTS], or NAME --help`;

stopWithParent();
await runScript(async () => {
  if (isHelp(name)) {
    console.log(listOf(folder, usage));
    process.exit(0);
  }
  if (!/^[\w-]+$/.test(name) || !existsSync(join(root, folder, `${name}.ts`)))
    throw new Failure(`There is no ${folder}/${name}.ts.\n\n${listOf(folder, usage)}`);
  await prepare();
});
await runBuilt(join(dist, folder, `${name}.js`), args);
