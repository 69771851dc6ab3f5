import { createHash } from 'node:crypto';
import { existsSync, lstatSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { runChild } from './child.mjs';
import { installStamp, nodeModules, root, storePackage } from './paths.mjs';
import { elapsed, Failure, say } from './report.mjs';

/** @param {string} path @returns {any} the parsed file, or undefined when it is missing or invalid */
export function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

function platform() {
  return `${process.platform}-${process.arch} node-${process.versions.node.split('.')[0]}`;
}

const dependencyFields = ['dependencies', 'devDependencies', 'optionalDependencies'];

/**
 * The manifests of the project and of its workspaces, with their keys in the lock file.
 *
 * @returns {[string, any][]}
 */
function manifests() {
  return [root, storePackage].map((folder) => [
    relative(root, folder),
    readJson(join(folder, 'package.json')) ?? {},
  ]);
}

/**
 * What an installation depends on: the required packages, and the platform for which native packages were
 * chosen.
 */
export function installKey() {
  const wanted = manifests().map(([, manifest]) =>
    [...dependencyFields, 'overrides'].map((field) => manifest[field]),
  );
  const packages = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .update(JSON.stringify(wanted))
    .digest('hex');
  return { packages, platform: platform() };
}

export function isInstalled(key = installKey()) {
  const stamp = readJson(installStamp);
  return stamp?.packages === key.packages && stamp?.platform === key.platform;
}

/**
 * Evaluates npm's `os` and `cpu` fields: lists of names, or of excluded names prefixed with an exclamation
 * mark.
 */
function allows(/** @type {string[] | undefined} */ list, /** @type {string} */ name) {
  if (!list) return true;
  if (list.includes(`!${name}`)) return false;
  return list.includes(name) || list.every((entry) => entry.startsWith('!'));
}

/** Whether the lock file matches the package.json files. If not, `npm ci` reports what differs. */
function lockFits(/** @type {any} */ locked) {
  return manifests().every(([path, manifest]) =>
    dependencyFields.every((field) => {
      const entries = (/** @type {any} */ of) => JSON.stringify(Object.entries(of?.[field] ?? {}).sort());
      return entries(manifest) === entries(locked[path]);
    }),
  );
}

/**
 * Whether npm may have omitted a package. An optional package that names its platform must be present on that
 * platform. One that names none belongs to another optional package, and C libraries (`libc`) are not
 * distinguished here.
 */
function isExpendable(/** @type {any} */ entry) {
  if (!entry.optional && !entry.devOptional && !entry.peer) return false;
  if (entry.libc || (!entry.os && !entry.cpu)) return true;
  return !allows(entry.os, process.platform) || !allows(entry.cpu, process.arch);
}

/**
 * Whether node_modules contains what the lock file requires for this platform, according to npm's own record
 * in it. A tree that was installed with npm directly is therefore not installed again.
 */
function matchesLockFile() {
  const wanted = readJson(join(root, 'package-lock.json'))?.packages;
  const found = readJson(join(nodeModules, '.package-lock.json'))?.packages;
  if (!wanted || !found || !lockFits(wanted)) return false;
  const extraneous = Object.keys(found).some((path) => !(path in wanted));
  if (extraneous) return false;
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === '') return true;
    const present = found[path];
    if (entry.link) return existsSync(join(root, path));
    if (present) return present.version === entry.version && present.integrity === entry.integrity;
    return isExpendable(entry);
  });
}

/**
 * An existing tree can be reused if it was installed by npm directly, but not after a change of Node version
 * or platform.
 */
function canAdopt() {
  const stamp = readJson(installStamp);
  return (!stamp || stamp.platform === platform()) && matchesLockFile();
}

function npmCommand() {
  const cli = process.env.npm_execpath;
  return cli?.endsWith('npm-cli.js') && existsSync(cli) ? [process.execPath, cli] : ['npm'];
}

/** `npm ci` would empty the target of a link, which others, such as worktrees, may use as well. */
function refuseLink() {
  if (!lstatSync(nodeModules, { throwIfNoEntry: false })?.isSymbolicLink()) return;
  throw new Failure(
    'node_modules is a link to packages that do not match this lock file. Remove the link, or install the packages of package-lock.json in its target.',
  );
}

/**
 * Installs the packages of the lock file with `npm ci`, unless they are present. Throws a Failure that
 * contains npm's output.
 */
export async function install(/** @type {{ addPid: (pid: number) => void }} */ lock) {
  const key = installKey();
  if (!canAdopt()) {
    refuseLink();
    say('Installing packages (npm ci) …');
    const start = performance.now();
    const [command, ...first] = npmCommand();
    const { code, output, interrupted } = await runChild(
      command,
      [...first, 'ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'],
      { cwd: root, capture: true, onStart: lock.addPid },
    );
    if (interrupted) throw new Failure('Interrupted while installing packages.', code || 1);
    if (code !== 0) throw new Failure(`${output}\nInstalling packages failed (npm ci, exit code ${code}).`);
    say(`Packages installed in ${elapsed(start)}.`);
  }
  writeFileSync(installStamp, JSON.stringify(key));
}
