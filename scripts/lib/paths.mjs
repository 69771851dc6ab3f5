import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * The project's root directory. All other paths are derived from it, so that the scripts work in any working
 * directory.
 */
export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

export const nodeModules = join(root, 'node_modules');
export const dist = join(root, 'dist');

/**
 * A build in progress. It is next to dist, so that its source maps still point to the sources after it is
 * renamed to dist.
 */
export const distNext = join(root, '.dist-next');

/** Working files of the scripts: the lock, and a dist that is being replaced. */
export const workDir = join(root, '.prepare');

export const installStamp = join(nodeModules, '.colloquy-install.json');
export const buildStamp = join(dist, '.colloquy-build.json');
