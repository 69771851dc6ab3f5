const { createRequire, isBuiltin } = require('node:module');
const { compileFunction } = require('node:vm');
const { default: Runtime } = require('jest-runtime');

/** Packages with sources in this repository, and those that belong to jest, are loaded by jest. */
const loadedByJest = /^(@colloquy\/|@jest\/|expect$)/;

/** @param {string} name */
const isPackage = (name) => /^[^./]/.test(name) && !isBuiltin(name) && !loadedByJest.test(name);

/**
 * jest's module loader, except that Node.js loads the packages: once per worker instead of once per suite, and
 * ES modules as they are published. Works only in jest-environment.cjs, and rules out jest.mock of packages.
 */
class Loader extends Runtime {
  /** @param {ConstructorParameters<typeof Runtime>} args */
  constructor(...args) {
    super(...args);
    const { executor } = this;
    /** @param {string} source @param {string} filename */
    executor.compile = (source, filename) =>
      compileFunction(source, executor.injectedModuleParameters, { filename });
  }

  /** The globals are those of the worker, which must outlive a suite. */
  installGetBuiltinModule() {}

  /** @param {string} from @param {string} name */
  requireModuleOrMock(from, name) {
    return isPackage(name) ? createRequire(from)(name) : super.requireModuleOrMock(from, name);
  }
}

module.exports = { __esModule: true, default: Loader };
