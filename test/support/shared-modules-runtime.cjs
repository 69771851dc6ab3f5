const { createRequire, isBuiltin } = require('node:module');
const { compileFunction } = require('node:vm');
const { default: Runtime } = require('jest-runtime');

const isPackage = (name) => /^[^./]/.test(name) && !isBuiltin(name) && !/^(@colloquy\/|@jest\/|expect$)/.test(name);

class SharedModulesRuntime extends Runtime {
  constructor(...args) {
    super(...args);
    const { executor } = this;
    executor.compile = (source, filename) =>
      compileFunction(source, executor.injectedModuleParameters, { filename });
  }
  installGetBuiltinModule() {}
  requireModuleOrMock(from, name) {
    return isPackage(name) ? createRequire(from)(name) : super.requireModuleOrMock(from, name);
  }
}
module.exports = { __esModule: true, default: SharedModulesRuntime };
