import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { runChild } from './child.mjs';
import { installKey, readJson } from './install.mjs';
import { nodeModules, root, storePackage, workDir } from './paths.mjs';
import { elapsed, Failure, say } from './report.mjs';

const tsc = join(nodeModules, 'typescript', 'bin', 'tsc');
const nest = join(nodeModules, '@nestjs', 'cli', 'bin', 'nest.js');

/**
 * What is compiled, in this order.
 *
 * @typedef {object} Target
 * @property {string} folder
 * @property {string[]} inputs files and folders, relative to the project's root
 * @property {(config: string) => string[]} compiler arguments of node; `config` is an absolute path
 */

/** @type {Target} */
const storeTarget = {
  folder: storePackage,
  inputs: ['tsconfig.json', ...['package.json', 'tsconfig.build.json', 'src', 'bench'].map(inStore)],
  compiler: (config) => [tsc, '-p', config, ...(process.stderr.isTTY ? ['--pretty'] : [])],
};

/** @type {Target} */
const serviceTarget = {
  folder: root,
  inputs: [
    ...storeTarget.inputs,
    ...['tsconfig.build.json', 'nest-cli.json', 'package.json'],
    ...['src', 'scripts', 'bench', 'test/proofs', 'test/support'],
  ],
  compiler: (config) => [nest, 'build', '--path', relative(root, config)],
};

const targets = [storeTarget, serviceTarget];

function inStore(/** @type {string} */ path) {
  return join(relative(root, storePackage), path);
}

/** tsconfig.build.json leaves specs out, so a changed spec needs no build. */
function isInput(/** @type {string} */ name) {
  return /\.(ts|mts|cts|json)$/.test(name) && !name.endsWith('.spec.ts');
}

/** Scripts and styles of pages: what browsers get is what is written. */
function isAsset(/** @type {string} */ name) {
  return /\.(js|css)$/.test(name);
}

/** @param {string} path @param {(name: string) => boolean} isWanted @returns {string[]} absolute paths of a file, or of those in a folder */
function filesIn(path, isWanted) {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (!stats) return [];
  if (!stats.isDirectory()) return isWanted(path) ? [path] : [];
  return readdirSync(path).flatMap((name) => filesIn(join(path, name), isWanted));
}

const assets = () => filesIn(join(root, 'src'), isAsset);

/** A digest of all that a target's build reads: sources, compiler settings, installed packages. @param {Target} target */
function keyOf({ inputs, folder }) {
  const files = [
    ...inputs.flatMap((input) => filesIn(join(root, input), isInput)),
    ...(folder === root ? assets() : []),
  ].sort();
  const hash = createHash('sha1').update(installKey().packages);
  for (const path of files) {
    const content = readFileSync(path);
    hash.update(`\0${relative(root, path)}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex');
}

const stampOf = (/** @type {string} */ folder) => join(folder, '.colloquy-build.json');

/** @param {Target} target */
function isTargetBuilt(target) {
  return readJson(stampOf(join(target.folder, 'dist')))?.inputs === keyOf(target);
}

/** Whether the service and the embedded store are built from the sources as they are. */
export function isBuilt() {
  return targets.every(isTargetBuilt);
}

/** Copies the assets to the folder of the compiled code that reads them. @param {string} distNext */
function copyAssets(distNext) {
  for (const path of assets()) {
    const target = join(distNext, relative(root, path));
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(path, target);
  }
}

/** Replaces the old build by the finished one: dist is complete at any time, and a failed build leaves it as it was. */
function swapIn(/** @type {string} */ distNext, /** @type {string} */ to) {
  const old = join(workDir, 'old');
  rmSync(old, { recursive: true, force: true });
  if (existsSync(to)) renameSync(to, old);
  renameSync(distNext, to);
  rmSync(old, { recursive: true, force: true });
}

/** @param {Target} target @param {{ addPid: (pid: number) => void }} lock */
async function buildTarget(target, lock) {
  const inputs = keyOf(target);
  // Beside dist, so that its source maps still lead to the sources once it is renamed to dist.
  const distNext = join(target.folder, '.dist-next');
  const config = join(workDir, 'tsconfig.json');
  rmSync(distNext, { recursive: true, force: true });
  mkdirSync(workDir, { recursive: true });
  writeFileSync(
    config,
    JSON.stringify({
      extends: join(target.folder, 'tsconfig.build.json'),
      compilerOptions: { outDir: distNext },
    }),
  );
  try {
    const { code, output, interrupted } = await runChild(process.execPath, target.compiler(config), {
      cwd: root,
      capture: true,
      onStart: lock.addPid,
    });
    if (interrupted) throw new Failure('Interrupted while building.', code || 1);
    if (code !== 0) throw new Failure(`${output}\nThe build failed.`);
    if (!existsSync(distNext)) throw new Failure(`${output}\nThe build wrote nothing.`);
    if (target === serviceTarget) copyAssets(distNext);
    writeFileSync(stampOf(distNext), JSON.stringify({ inputs }));
    swapIn(distNext, join(target.folder, 'dist'));
  } finally {
    rmSync(distNext, { recursive: true, force: true });
    rmSync(config, { force: true });
  }
}

/**
 * Builds the embedded store and the service, each into a directory of its own that then replaces its dist.
 *
 * @param {{ addPid: (pid: number) => void }} lock
 * @param {{ force: boolean }} options `force` builds what is up to date, too
 * @throws {Failure} with the compiler's output
 */
export async function build(lock, { force }) {
  say('Building …');
  const start = performance.now();
  for (const target of targets) {
    if (force || !isTargetBuilt(target)) await buildTarget(target, lock);
  }
  say(`Built in ${elapsed(start)}.`);
}
