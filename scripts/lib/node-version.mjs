import { Failure } from './report.mjs';

const needed = [20, 19];

/** Throws a Failure when this Node.js is too old for the project's packages. */
export function checkNodeVersion(version = process.versions.node) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > needed[0] || (major === needed[0] && minor >= needed[1])) return;
  throw new Failure(
    `Colloquy requires Node.js ${needed.join('.')} or newer; this is ${version} (${process.execPath}).`,
  );
}
