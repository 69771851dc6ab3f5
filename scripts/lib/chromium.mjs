import { say } from './report.mjs';
import { installSystemPackage, onPath, specsMention } from './system-packages.mjs';

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/**
 * Finds the browser that specs drive through test/support/browser.ts. It is too large to be installed without
 * being asked for. When there is none, those suites are skipped by COLLOQUY_TEST_CHROMIUM=off, and the reason
 * is printed.
 *
 * @param {{ mayInstall: boolean }} options
 * @returns {Promise<NodeJS.ProcessEnv>} what to add to the environment of the tests
 */
export async function prepareChromium({ mayInstall }) {
  const given = process.env.COLLOQUY_TEST_CHROMIUM;
  if (given) return { COLLOQUY_TEST_CHROMIUM: given };
  const found = names.map(onPath).find((path) => path !== undefined);
  if (found !== undefined) return { COLLOQUY_TEST_CHROMIUM: found };
  if (!specsMention(/support\/browser\b/)) return {};
  const reason = mayInstall ? await installSystemPackage('chromium') : 'chromium is not on the PATH';
  const installed = onPath('chromium');
  if (installed !== undefined) return { COLLOQUY_TEST_CHROMIUM: installed };
  say(`Skipped the browser suites: ${reason} (on Debian: apt-get install chromium)`);
  return { COLLOQUY_TEST_CHROMIUM: 'off' };
}
