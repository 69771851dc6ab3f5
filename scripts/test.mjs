// npm test [-- JEST ARGUMENTS]: installs and builds when needed, runs jest, and prints `N passed, N failed`
// as the last line.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { prepareChromium } from './lib/chromium.mjs';
import { runChild } from './lib/child.mjs';
import { readJson } from './lib/install.mjs';
import { nodeModules, root } from './lib/paths.mjs';
import { stopWithParent } from './lib/parent.mjs';
import { prepare } from './lib/prepare.mjs';
import { preparePromtool } from './lib/promtool.mjs';
import { prepareRedis } from './lib/redis.mjs';
import { runScript } from './lib/report.mjs';

const inCi = !['', '0', 'false', undefined].includes(process.env.CI);

/** @typedef {{ passed: number, failed: number, skipped: number }} Counts */

/** @param {string[]} args @returns {Promise<{ code: number, counts: Counts | undefined }>} */
async function runJest(args) {
  const folder = mkdtempSync(join(tmpdir(), 'colloquy-test-'));
  const countsFile = join(folder, 'counts.json');
  const env = {
    ...process.env,
    ...(await prepareRedis()),
    ...(await prepareChromium({ mayInstall: inCi })),
    ...(await preparePromtool({ mayInstall: inCi })),
    COLLOQUY_TEST_COUNTS: countsFile,
  };
  try {
    const jest = join(nodeModules, 'jest', 'bin', 'jest.js');
    const { code } = await runChild(process.execPath, [jest, ...(inCi ? ['--ci'] : []), ...args], {
      cwd: root,
      env,
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

stopWithParent();
await runScript(async () => {
  const args = process.argv.slice(2);
  await prepare();
  const { code, counts } = await runJest(args);
  // If jest succeeded without counting tests, it did something else, such as --listTests.
  if (code === 0 && !counts) return;
  const { passed, failed, skipped } = counts ?? { passed: 0, failed: 1, skipped: 0 };
  const skippedInCi = inCi && skipped > 0 && !selectsByName(args);
  if (skippedInCi) console.log('Skipped and unwritten (todo) tests are failures in CI.');
  // When jest fails for another reason than a test, such as a coverage threshold, the line must not look like
  // success.
  const shownFailed = code !== 0 && failed === 0 ? 1 : failed;
  console.log(`${passed} passed, ${shownFailed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
  process.exitCode = code !== 0 ? code : Number(skippedInCi);
});
