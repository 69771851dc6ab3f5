import { say } from './report.mjs';
import { installSystemPackage, onPath, specsMention } from './system-packages.mjs';

/**
 * Finds promtool, which checks metrics and alert rules, for specs that use it through
 * test/support/promtool.ts. Its package contains a whole server and is not installed without being asked for.
 * When there is none, those suites are skipped by COLLOQUY_TEST_PROMTOOL=off, and the reason is printed.
 *
 * @param {{ mayInstall: boolean }} options
 * @returns {Promise<NodeJS.ProcessEnv>} what to add to the environment of the tests
 */
export async function preparePromtool({ mayInstall }) {
  const given = process.env.COLLOQUY_TEST_PROMTOOL;
  if (given) return { COLLOQUY_TEST_PROMTOOL: given };
  const found = onPath('promtool');
  if (found !== undefined) return { COLLOQUY_TEST_PROMTOOL: found };
  if (!specsMention(/support\/promtool\b/)) return {};
  const reason = mayInstall ? await installSystemPackage('prometheus') : 'promtool is not on the PATH';
  const installed = onPath('promtool');
  if (installed !== undefined) return { COLLOQUY_TEST_PROMTOOL: installed };
  say(
    `Skipped the suites that check metrics with promtool: ${reason} (on Debian: apt-get install prometheus)`,
  );
  return { COLLOQUY_TEST_PROMTOOL: 'off' };
}
