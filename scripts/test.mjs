// npm test [-- ARGUMENTS]: installs and builds when needed, runs jest, prints what was not run, and prints
// `N passed, N failed` as the last line.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runChild } from './lib/child.mjs';
import { readJson } from './lib/install.mjs';
import { nodeModules, root } from './lib/paths.mjs';
import { stopWithParent } from './lib/parent.mjs';
import { prepare } from './lib/prepare.mjs';
import { runScript, usage } from './lib/report.mjs';
import { prepareProgram, programs } from './lib/test-programs.mjs';
import { longProjects, shortProjects } from '../jest.config.mjs';

const inCi = !['', '0', 'false', undefined].includes(process.env.CI);

/** @typedef {{ passed: number, failed: number, skipped: number }} Counts */

/**
 * Which projects a run takes: all of them with --all, the arguments' own choice where they have one
 * (--selectProjects or a path), otherwise those that are quick.
 *
 * @param {string[]} args
 * @returns {{ projects: string[] | undefined, jestArgs: string[] }}
 */
function selection(args) {
  const jestArgs = args.filter((arg) => arg !== '--all');
  // The value of -t is part of a test's name, which may look like a path.
  const isPath = (/** @type {string} */ arg, /** @type {number} */ at) =>
    !arg.startsWith('-') &&
    !['-t', '--testNamePattern'].includes(jestArgs[at - 1] ?? '') &&
    /\/|\.spec\b/.test(arg);
  const choosesItself = jestArgs.some((arg, at) => arg.startsWith('--selectProjects') || isPath(arg, at));
  if (choosesItself) return { projects: undefined, jestArgs };
  return {
    projects: args.includes('--all') ? [...shortProjects, ...Object.keys(longProjects)] : [...shortProjects],
    jestArgs,
  };
}

/**
 * @param {string[]} jestArgs @param {NodeJS.ProcessEnv} env
 * @returns {Promise<{ code: number, counts: Counts | undefined }>}
 */
async function runJest(jestArgs, env) {
  const folder = mkdtempSync(join(tmpdir(), 'colloquy-test-'));
  const countsFile = join(folder, 'counts.json');
  try {
    const jest = join(nodeModules, 'jest', 'bin', 'jest.js');
    const { code } = await runChild(process.execPath, [jest, ...(inCi ? ['--ci'] : []), ...jestArgs], {
      cwd: root,
      env: { ...process.env, ...env, COLLOQUY_TEST_COUNTS: countsFile },
    });
    return { code, counts: readJson(countsFile) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * Whether the run selects tests by name, and therefore skips the others on purpose. @param {string[]} args
 */
function selectsByName(args) {
  return args.some((arg) => /^(-t|--testNamePattern)/.test(arg));
}

/** @param {string[] | undefined} projects @returns {string[]} a line for each project that was left out */
function leftOut(projects) {
  if (projects === undefined) return [];
  const left = Object.entries(longProjects).filter(([name]) => !projects.includes(name));
  const lines = left.map(([name, what]) => `${what}: npm test -- --selectProjects ${name}`);
  return lines.length > 0 ? [...lines, 'all of these as well: npm run test:all'] : [];
}

usage(
  'npm test [-- ARGUMENTS]',
  'Installs and builds when needed, then runs the unit, integration and e2e suites.',
  'npm run test:all runs the long ones too.',
  '',
  '  --all                     every suite (npm run test:all)',
  '  --selectProjects NAME…    suites of these projects (jest.config.mjs)',
  '  PATH…                     the suites of these files or folders',
  '  other arguments           go to jest; npx jest --help lists them',
);
stopWithParent();
await runScript(async () => {
  const { projects, jestArgs } = selection(process.argv.slice(2));
  await prepare();
  const notRun = leftOut(projects);
  const env = /** @type {NodeJS.ProcessEnv} */ ({});
  for (const program of Object.values(programs)) {
    if (program.project !== undefined && projects !== undefined && !projects.includes(program.project))
      continue;
    const prepared = await prepareProgram(program, { mayInstall: inCi });
    Object.assign(env, prepared.env);
    if (prepared.missing !== undefined) notRun.unshift(prepared.missing);
  }
  // --selectProjects takes every argument that follows it, so it comes last.
  const chosen = projects === undefined ? [] : ['--selectProjects', ...projects];
  const { code, counts } = await runJest([...jestArgs, ...chosen], env);
  // A successful jest that counted nothing was asked for something else, such as --listTests.
  if (code === 0 && !counts) return;
  const { passed, failed, skipped } = counts ?? { passed: 0, failed: 1, skipped: 0 };
  const skippedInCi = inCi && skipped > 0 && !selectsByName(jestArgs);
  if (skippedInCi) console.log('A skipped or unwritten (todo) test is a failure in CI.');
  if (notRun.length > 0) console.log(['Not run:', ...notRun.map((line) => `  ${line}`), ''].join('\n'));
  // Where jest fails for another reason than a test (a coverage threshold, say), the line must not look like
  // success.
  const shownFailed = code !== 0 && failed === 0 ? 1 : failed;
  console.log(`${passed} passed, ${shownFailed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
  process.exitCode = code !== 0 ? code : Number(skippedInCi);
});
