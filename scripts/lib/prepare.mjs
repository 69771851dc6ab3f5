import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, isBuilt } from './build.mjs';
import { install, isInstalled } from './install.mjs';
import { withLock } from './lock.mjs';
import { checkNodeVersion } from './node-version.mjs';
import { workDir } from './paths.mjs';

/**
 * Prepares the project to run: installs the packages of the lock file and builds the sources. Returns quickly
 * when nothing has changed. Throws a Failure when either cannot be done. Concurrent processes wait for the
 * first.
 *
 * @param {{ forceBuild?: boolean }} [options]
 */
export async function prepare({ forceBuild = false } = {}) {
  checkNodeVersion();
  if (!forceBuild && isInstalled() && isBuilt()) return;
  mkdirSync(workDir, { recursive: true });
  writeFileSync(join(workDir, '.gitignore'), '*\n');
  await withLock(join(workDir, 'lock'), async (lock) => {
    if (!isInstalled()) await install(lock);
    if (forceBuild || !isBuilt()) await build(lock, { force: forceBuild });
  });
}
