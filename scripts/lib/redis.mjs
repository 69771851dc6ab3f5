import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { runChild } from './child.mjs';
import { root } from './paths.mjs';
import { say } from './report.mjs';

const specFolders = ['src', 'libs', 'scripts', 'test'];

/** @param {string} folder @returns {boolean} whether a spec beneath it uses test/support/redis */
function mentionsRedis(folder) {
  if (!existsSync(folder)) return false;
  return readdirSync(folder, { withFileTypes: true }).some((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return mentionsRedis(path);
    return entry.name.endsWith('.spec.ts') && /support\/redis\b/.test(readFileSync(path, 'utf8'));
  });
}

function onPath(/** @type {string} */ program) {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, program)));
}

/** @returns {Promise<string | undefined>} why redis-server cannot be had; undefined once it is there */
async function installServer() {
  if (!onPath('apt-get')) return 'redis-server is not on the PATH';
  if (process.getuid?.() !== 0) return 'redis-server is not on the PATH, and only root may install it';
  say('Installing redis-server for the tests (apt-get) …');
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  for (const args of [
    ['update', '-qq'],
    ['install', '-y', '-qq', '--no-install-recommends', 'redis-server'],
  ]) {
    const { code } = await runChild('apt-get', args, { env, capture: true });
    if (code !== 0) return `apt-get ${args[0]} failed with exit code ${code}`;
  }
  return onPath('redis-server') ? undefined : 'redis-server is not on the PATH';
}

/**
 * Sees to the Redis server that specs start through test/support/redis.ts. Where none can be had, those suites are
 * skipped by COLLOQUY_TEST_REDIS=off, and the reason is printed.
 *
 * @returns {Promise<NodeJS.ProcessEnv>} what to add to the environment of the tests
 */
export async function prepareRedis() {
  if (onPath('redis-server')) return {};
  if (!specFolders.some((folder) => mentionsRedis(join(root, folder)))) return {};
  const reason = await installServer();
  if (reason === undefined) return {};
  say(`Redis-backed suites skipped: ${reason}`);
  return { COLLOQUY_TEST_REDIS: 'off' };
}
