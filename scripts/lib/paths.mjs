import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * The project's root directory. All other paths are derived from it, so that the scripts work in any working
 * directory.
 */
export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

export const nodeModules = join(root, 'node_modules');
export const dist = join(root, 'dist');

/** The embedded store, a workspace of this project that is built before it. */
export const storePackage = join(root, 'packages', 'embedded-mongo');

/** Working files of the scripts: the lock, and a dist that is being replaced. */
export const workDir = join(root, '.prepare');

export const installStamp = join(nodeModules, '.colloquy-install.json');
