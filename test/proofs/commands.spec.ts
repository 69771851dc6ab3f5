import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const dist = resolve(process.env['COLLOQUY_TEST_DIST'] ?? 'dist');

const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };

/** The npm scripts in package.json that run a script of this project, with the arguments that npm passes. */
const npmCommands = Object.entries(scripts)
  .map(([name, line]) => [name, /\bnode (scripts\/[\w-]+\.mjs)(.*)$/.exec(line)] as const)
  .flatMap(([name, match]) => (match ? [{ name, script: match[1] ?? '', args: match[2] ?? '' }] : []));

/** The commands that `scripts/run.mjs`, `npm run verify` and `npm run bench` look up by file name. */
const built = ['scripts', 'test/proofs', 'bench'].flatMap((folder) =>
  readdirSync(folder).flatMap((file) => {
    const name = /^([\w-]+)\.ts$/.exec(file)?.[1];
    return name === undefined ? [] : [`${folder}/${name}.js`];
  }),
);

const help = async (args: string[]): Promise<string> => (await run(process.execPath, args)).stdout;

it('finds the commands', () => {
  expect(npmCommands.map(({ name }) => name)).toEqual(expect.arrayContaining(['start', 'test', 'verify']));
  expect(built.length).toBeGreaterThan(20);
});

it.each(npmCommands.filter(({ args }) => !/^ (?!verify$|bench$)[a-z]/.test(args)))(
  'npm run $name -- --help prints its usage without installing or building',
  async ({ script, args }) => {
    expect(await help([script, ...args.split(' ').filter(Boolean), '--help'])).toMatch(/^Usage: /);
  },
);

it.each(npmCommands.filter(({ script }) => script === 'scripts/run.mjs'))(
  'npm run $name runs a command that exists',
  ({ args }) => {
    const [command = ''] = args.trim().split(' ');
    expect(['verify', 'bench', ...built]).toContain(
      ['verify', 'bench'].includes(command) ? command : `scripts/${command}.js`,
    );
  },
);

it.each(built)('%s --help prints its usage and does nothing else', async (path) => {
  expect(await help([resolve(dist, path), '--help'])).toMatch(/^Usage: .*\[options\]/);
});
