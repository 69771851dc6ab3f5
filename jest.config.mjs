import { availableParallelism } from 'node:os';

// Our sources are compiled to CommonJS by swc; Node.js itself loads the packages. The build stays ESM. See
// docs/decisions/0002-jest-and-esm.md.
const swc = [
  '<rootDir>/test/support/jest-transform.cjs',
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
  // One id, roots and all: the projects share one map of the files and one cache of compiled files.
  id: 'colloquy',
  roots: ['src', 'packages/embedded-mongo/src', 'scripts', 'test', 'examples'].map(
    (folder) => `<rootDir>/${folder}`,
  ),
  testMatch,
  testEnvironment: '<rootDir>/test/support/jest-environment.cjs',
  runtime: '<rootDir>/test/support/jest-runtime.cjs',
  // The embedded store is loaded from its sources, as for the type check.
  testEnvironmentOptions: { customExportConditions: ['@colloquy/source', 'node', 'node-addons'] },
  transform: { '^.+\\.(t|j|mj)s$': swc },
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  ...more,
});

const withStore = {
  globalSetup: '<rootDir>/test/support/global-setup.mjs',
  globalTeardown: '<rootDir>/test/support/global-teardown.mjs',
};

/** The projects that `npm test` runs. */
export const shortProjects = ['unit', 'integration', 'e2e'];

/** The projects that it leaves to `npm run test:all` and CI, and what they are. */
export const longProjects = {
  'embedded-mongo': 'the suites of the embedded store',
  processes: 'the suites that start the built service or a command as a process, or stop Redis',
  browser: 'the suites that drive the operator pages in Chromium',
  proofs:
    'kills, outages, shutdown under load, a full disk, random values in every field, erasure and export',
};

export default {
  // More workers than processors: many suites wait for processes of their own.
  maxWorkers: availableParallelism() + 1,
  workerIdleMemoryLimit: '1500MB',
  // Only ends what hangs: no test comes near it, also on a machine that is busy with other work.
  testTimeout: 120_000,
  reporters: ['default', '<rootDir>/scripts/lib/count-reporter.mjs'],
  projects: [
    project('unit', [
      '<rootDir>/src/**/*.spec.ts',
      '<rootDir>/scripts/**/*.spec.ts',
      '<rootDir>/test/support/**/*.spec.ts',
      '<rootDir>/test/proofs/*/**/*.spec.ts',
    ]),
    project('integration', ['<rootDir>/test/integration/**/*.spec.ts'], withStore),
    project('e2e', ['<rootDir>/test/e2e/**/*.spec.ts'], withStore),
    '<rootDir>/packages/embedded-mongo',
    project('processes', ['<rootDir>/test/processes/**/*.spec.ts'], withStore),
    project('browser', ['<rootDir>/test/browser/**/*.spec.ts'], withStore),
    project('proofs', ['<rootDir>/test/proofs/*.spec.ts'], {
      ...withStore,
      setupFilesAfterEnv: ['<rootDir>/test/support/long-tests.ts'],
    }),
  ],
};
