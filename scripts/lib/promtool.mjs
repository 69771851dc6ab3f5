import { say } from './report.mjs';
import { installSystemPackage, onPath, specsMention } from './system-packages.mjs';

/**
 * Finds the program that checks metrics and alert rules, for specs that use it through test/support/promtool.ts. Its package
 * brings a whole server and is not installed unasked; where there is none, those suites are skipped by
 * COLLOQUY_TEST_PROMTOOL=off, and the reason is printed.
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
  say(`Suites that check metrics with promtool skipped: ${reason} (on Debian: apt-get install prometheus)`);
  return { COLLOQUY_TEST_PROMTOOL: 'off' };
}
