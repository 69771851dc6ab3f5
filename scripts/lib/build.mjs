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
 * A part of the project that is compiled.
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

/** In the order in which they are built. */
const targets = [storeTarget, serviceTarget];

function inStore(/** @type {string} */ path) {
  return join(relative(root, storePackage), path);
}

/** tsconfig.build.json excludes specs, so a changed spec does not require a build. */
function isInput(/** @type {string} */ name) {
  return /\.(ts|mts|cts|json)$/.test(name) && !name.endsWith('.spec.ts');
}

/** Scripts and styles of pages, which are served to browsers unchanged. */
function isAsset(/** @type {string} */ name) {
  return /\.(js|css)$/.test(name);
}

/**
 * @param {string} path a file or a folder
 * @param {(name: string) => boolean} isWanted
 * @returns {string[]} absolute paths of the wanted files
 */
function filesIn(path, isWanted) {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (!stats) return [];
  if (!stats.isDirectory()) return isWanted(path) ? [path] : [];
  return readdirSync(path).flatMap((name) => filesIn(join(path, name), isWanted));
}

const assets = () => filesIn(join(root, 'src'), isAsset);

/**
 * A digest of everything that a target's build reads: sources, compiler settings, installed packages.
 *
 * @param {Target} target
 */
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

/** Whether the builds of the service and the embedded store match the current sources. */
export function isBuilt() {
  return targets.every(isTargetBuilt);
}

/** Copies the assets next to the compiled files that read them. @param {string} distNext */
function copyAssets(distNext) {
  for (const path of assets()) {
    const target = join(distNext, relative(root, path));
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(path, target);
  }
}

/**
 * Replaces the old build with the new one. dist is always complete, and a failed build does not change it.
 */
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
  // Next to dist, so that its source maps still point to the sources after it is renamed to dist.
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
 * Builds the embedded store and then the service, each into a separate directory that then replaces its dist.
 *
 * @param {{ addPid: (pid: number) => void }} lock
 * @param {{ force: boolean }} options `force` also builds what is up to date
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
