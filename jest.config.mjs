import { availableParallelism } from 'node:os';

// Nest 12 is ESM and jest on Node 20 cannot require() it: the tests, and the ESM packages they load, are compiled to
// CommonJS by swc. The build itself stays ESM. See docs/decisions/0002-jest-and-esm.md.
const esmPackages = [
  '@nestjs',
  'keyv',
  '@keyv',
  'cacheable',
  '@cacheable',
  'cache-manager',
  'hookified',
  'qified',
  'file-type',
  'strtok3',
  'token-types',
  'uint8array-extras',
  '@tokenizer',
  'hashery',
  '@borewit',
  'load-esm',
  'uid',
  '@lukeed',
  'lru-cache',
  'cookie',
  'content-disposition',
  'p-limit',
  'yocto-queue',
];

const swc = [
  '@swc/jest',
  {
    jsc: {
      parser: { syntax: 'typescript', decorators: true },
      transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
      keepClassNames: true,
      target: 'es2022',
    },
    module: { type: 'commonjs' },
    sourceMaps: 'inline',
  },
];

/** @param {string} displayName @param {string[]} testMatch @param {object} more */
const project = (displayName, testMatch, more = {}) => ({
  displayName,
  rootDir: import.meta.dirname,
  testMatch,
  testEnvironment: 'node',
  // The embedded store comes from its sources, as for the type check.
  testEnvironmentOptions: { customExportConditions: ['@colloquy/source', 'node', 'node-addons'] },
  transform: { '^.+\\.(t|j|mj)s$': swc },
  transformIgnorePatterns: [`node_modules/(?!(${esmPackages.join('|')})/)`],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/\\.dist-next/', '<rootDir>/\\.prepare/'],
  ...more,
});

const processors = availableParallelism();

export default {
  // Many suites wait for processes of their own: two at a time also where there are two processors, for which jest would take one.
  maxWorkers: Math.min(processors, Math.max(2, Math.floor(processors / 2))),
  workerIdleMemoryLimit: '800MB',
  testTimeout: 30_000,
  reporters: ['default', '<rootDir>/scripts/lib/count-reporter.mjs'],
  projects: [
    project('unit', [
      '<rootDir>/src/**/*.spec.ts',
      '<rootDir>/scripts/**/*.spec.ts',
      '<rootDir>/test/{proofs,support}/**/*.spec.ts',
    ]),
    '<rootDir>/packages/embedded-mongo',
    project('integration', ['<rootDir>/test/integration/**/*.spec.ts'], {
      globalSetup: '<rootDir>/test/support/global-setup.mjs',
      globalTeardown: '<rootDir>/test/support/global-teardown.mjs',
    }),
    project('e2e', ['<rootDir>/test/e2e/**/*.spec.ts'], {
      globalSetup: '<rootDir>/test/support/global-setup.mjs',
      globalTeardown: '<rootDir>/test/support/global-teardown.mjs',
    }),
  ],
};
