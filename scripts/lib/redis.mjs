import { say } from './report.mjs';
import { installSystemPackage, onPath, specsMention } from './system-packages.mjs';

/**
 * Finds or installs the Redis server that specs start through test/support/redis.ts. When that fails, those
 * suites are skipped by COLLOQUY_TEST_REDIS=off, and the reason is printed.
 *
 * @returns {Promise<NodeJS.ProcessEnv>} what to add to the environment of the tests
 */
export async function prepareRedis() {
  if (onPath('redis-server')) return {};
  if (!specsMention(/support\/redis\b/)) return {};
  const reason = await installSystemPackage('redis-server');
  if (reason === undefined) return {};
  say(`Skipped the suites that use Redis: ${reason}`);
  return { COLLOQUY_TEST_REDIS: 'off' };
}
