import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { runChild } from './child.mjs';
import { say } from './report.mjs';

/**
 * A program of the system that some suites need. Where it is missing, those suites are skipped.
 *
 * @typedef {object} Program
 * @property {string} variable environment variable with the path of the program, or `off`
 * @property {string} suites what is skipped without it
 * @property {string[]} names file names that it may have
 * @property {string} [aptPackage] Debian package
 * @property {string} [hint] how to install it, if there is no package
 * @property {string} [project] the only project with suites that need it
 * @property {boolean} isSmall whether it is installed without being asked for; CI installs all
 */

/** @type {Readonly<Record<'redis' | 'promtool' | 'chromium' | 's3', Program>>} */
export const programs = {
  redis: {
    variable: 'COLLOQUY_TEST_REDIS',
    suites: 'suites that need Redis',
    names: ['redis-server'],
    aptPackage: 'redis-server',
    isSmall: true,
  },
  promtool: {
    variable: 'COLLOQUY_TEST_PROMTOOL',
    suites: 'suites that check metrics with promtool',
    names: ['promtool'],
    aptPackage: 'prometheus',
    isSmall: false,
  },
  chromium: {
    variable: 'COLLOQUY_TEST_CHROMIUM',
    suites: 'browser suites',
    names: ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'],
    aptPackage: 'chromium',
    project: 'browser',
    isSmall: false,
  },
  s3: {
    variable: 'COLLOQUY_TEST_S3_SERVER',
    suites: 'the suite of archives in S3',
    names: ['versitygw'],
    hint: 'go install github.com/versity/versitygw/cmd/versitygw@v1.8.0',
    project: 'processes',
    isSmall: false,
  },
};

/**
 * @param {readonly string[]} names
 * @returns {string | undefined} path of the first of them that is on the PATH
 */
function onPath(names) {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return names
    .flatMap((name) => folders.map((folder) => join(folder, name)))
    .find((path) => existsSync(path));
}

/** @param {Program} program @returns {Promise<string | undefined>} why it cannot be installed */
async function installProgram({ aptPackage, names }) {
  if (aptPackage === undefined || !onPath(['apt-get']) || process.getuid?.() !== 0)
    return `${names[0]} is not on the PATH`;
  say(`Installing ${aptPackage} for the tests (apt-get) …`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  for (const args of [
    ['update', '-qq'],
    ['install', '-y', '-qq', '--no-install-recommends', aptPackage],
  ]) {
    const { code } = await runChild('apt-get', args, { env, capture: true });
    if (code !== 0) return `apt-get ${args[0]} failed with exit code ${code}`;
  }
  return onPath(names) ? undefined : `${names[0]} is not on the PATH`;
}

/**
 * Finds a program, and installs it where that is allowed.
 *
 * @param {Program} program
 * @param {{ mayInstall: boolean }} options
 * @returns {Promise<{ env: NodeJS.ProcessEnv, missing?: string }>} what to add to the environment of the
 *   tests, and what is skipped where it cannot be had
 */
export async function prepareProgram(program, { mayInstall }) {
  const {
    variable,
    suites,
    names,
    aptPackage,
    isSmall,
    hint = `on Debian: apt-get install ${aptPackage}`,
  } = program;
  const given = process.env[variable];
  if (given && given !== 'off') return { env: {} };
  let reason = given === 'off' ? `${variable}=off` : undefined;
  if (reason === undefined) {
    let path = onPath(names);
    if (path === undefined) {
      reason = mayInstall || isSmall ? await installProgram(program) : `${names[0]} is not on the PATH`;
      path = onPath(names);
    }
    if (path !== undefined) return { env: { [variable]: path } };
  }
  return {
    env: { [variable]: 'off' },
    missing: `${suites}: ${reason} (${hint})`,
  };
}
