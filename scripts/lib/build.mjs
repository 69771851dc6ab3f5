import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { runChild } from './child.mjs';
import { installKey, readJson } from './install.mjs';
import { buildStamp, dist, distNext, nodeModules, root, workDir } from './paths.mjs';
import { elapsed, Failure, say } from './report.mjs';

const sourceFolders = ['src', 'libs', 'scripts', 'bench', 'test/proofs', 'test/support'];
const rootFiles = ['tsconfig.json', 'tsconfig.build.json', 'nest-cli.json', 'package.json'];

/** tsconfig.build.json excludes specs, so a changed spec does not require a build. */
function isInput(/** @type {string} */ name) {
  return /\.(ts|mts|cts|json)$/.test(name) && !name.endsWith('.spec.ts');
}

/** Scripts and styles of pages, which are served to browsers unchanged. */
function isAsset(/** @type {string} */ name) {
  return /\.(js|css)$/.test(name);
}

/**
 * @param {string} folder @param {(name: string) => boolean} isWanted @returns {string[]} absolute paths of
 * the files in it
 */
function filesIn(folder, isWanted) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return filesIn(path, isWanted);
    return isWanted(entry.name) ? [path] : [];
  });
}

const assets = () => filesIn(join(root, 'src'), isAsset);

/** A digest of everything that the build reads: sources, compiler settings, installed packages. */
export function buildKey() {
  const files = [
    ...sourceFolders.flatMap((folder) => filesIn(join(root, folder), isInput)),
    ...assets(),
    ...rootFiles.map((name) => join(root, name)).filter((path) => existsSync(path)),
  ].sort();
  const hash = createHash('sha1').update(installKey().packages);
  for (const path of files) {
    const content = readFileSync(path);
    hash.update(`\0${relative(root, path)}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex');
}

export function isBuilt(key = buildKey()) {
  return readJson(buildStamp)?.inputs === key;
}

/** Copies the assets next to the compiled files that read them. */
function copyAssets() {
  for (const path of assets()) {
    const target = join(distNext, relative(root, path));
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(path, target);
  }
}

/**
 * Replaces the old build with the new one. dist is always complete, and a failed build does not change it.
 */
function swapIn() {
  const old = join(workDir, 'old');
  rmSync(old, { recursive: true, force: true });
  if (existsSync(dist)) renameSync(dist, old);
  renameSync(distNext, dist);
  rmSync(old, { recursive: true, force: true });
}

/**
 * Compiles into a separate directory and then replaces dist with it. Throws a Failure that contains the
 * compiler's output.
 */
export async function build(/** @type {{ addPid: (pid: number) => void }} */ lock) {
  say('Building …');
  const start = performance.now();
  const inputs = buildKey();
  const config = join(workDir, 'tsconfig.json');
  rmSync(distNext, { recursive: true, force: true });
  mkdirSync(workDir, { recursive: true });
  writeFileSync(
    config,
    JSON.stringify({ extends: '../tsconfig.build.json', compilerOptions: { outDir: distNext } }),
  );
  const nest = join(nodeModules, '@nestjs', 'cli', 'bin', 'nest.js');
  try {
    const { code, output, interrupted } = await runChild(
      process.execPath,
      [nest, 'build', '--path', relative(root, config)],
      { cwd: root, capture: true, onStart: lock.addPid },
    );
    if (interrupted) throw new Failure('Interrupted while building.', code || 1);
    if (code !== 0) throw new Failure(`${output}\nThe build failed.`);
    if (!existsSync(distNext)) throw new Failure(`${output}\nThe build wrote nothing.`);
    copyAssets();
    writeFileSync(join(distNext, '.colloquy-build.json'), JSON.stringify({ inputs }));
    swapIn();
  } finally {
    rmSync(distNext, { recursive: true, force: true });
    rmSync(config, { force: true });
  }
  say(`Built in ${elapsed(start)}.`);
}
