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

/** The first sentence of the comment at the start of a source file. @param {string} path */
function summaryOf(path) {
  const [comment = ''] = /^(?:\/\/.*\n)+/.exec(readFileSync(path, 'utf8')) ?? [];
  const text = comment.replaceAll(/^\/\/ ?/gm, '').replaceAll(/\s+/g, ' ');
  return /^[^:]*: (.*?[.:;])(?: |$)/.exec(text)?.[1]?.replace(/[:;]$/, '.') ?? text;
}

/** @param {string} command @param {string} folder */
function listOf(command, folder) {
  const names = readdirSync(join(root, folder)).flatMap((file) => /^([\w-]+)\.ts$/.exec(file)?.[1] ?? []);
  const width = Math.max(...names.map((name) => name.length));
  const lines = names.map(
    (name) => `  ${name.padEnd(width)}  ${summaryOf(join(root, folder, `${name}.ts`))}`,
  );
  return [`Usage: npm run ${command} -- NAME [ARGUMENTS], or NAME --help`, '', ...lines].join('\n');
}

const [command = '', ...given] = process.argv.slice(2);
const folder = folders[command];
const [name = '', ...args] = folder === undefined ? [command, ...given] : given;
const source = `${folder ?? 'scripts'}/${name}`;
const path = join(dist, `${source}.js`);

stopWithParent();
await runScript(async () => {
  if (folder !== undefined && ['', '-h', '--help'].includes(name)) {
    console.log(listOf(command, folder));
    process.exit(0);
  }
  if (!/^[\w-]+$/.test(name) || !existsSync(join(root, `${source}.ts`)))
    throw new Failure(
      folder === undefined
        ? `There is no script "${name}" (${source}.ts).`
        : `There is no "${name}".\n\n${listOf(command, folder)}`,
    );
  await prepare();
});
await runBuilt(path, args);
