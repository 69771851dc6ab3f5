import js from '@eslint/js';
import prettier from 'eslint-config-prettier';
import jest from 'eslint-plugin-jest';
import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

const specs = ['**/*.spec.ts', 'test/**/*.ts', 'packages/*/test/**/*.ts'];

const settingsMessage = 'Settings are read in src/config only; inject the settings of the group instead.';

/** Forbids all ways to access `process.env`. */
const noEnvironment = {
  'no-restricted-properties': ['error', { object: 'process', property: 'env', message: settingsMessage }],
  'no-restricted-imports': [
    'error',
    {
      paths: ['process', 'node:process'].map((name) => ({
        name,
        importNames: ['env'],
        message: settingsMessage,
      })),
    },
  ],
};

const nodeGlobals = Object.fromEntries(
  [
    'process',
    'console',
    'Buffer',
    'URL',
    'performance',
    'setTimeout',
    'clearTimeout',
    'setInterval',
    'clearInterval',
  ].map((name) => [name, 'readonly']),
);

/** Globals used by the scripts of pages. The type check (tsconfig.page.json) covers the rest. */
const browserGlobals = Object.fromEntries(
  [
    'AbortController',
    'EventSource',
    'HTMLElement',
    'HTMLTableElement',
    'ResizeObserver',
    'clearTimeout',
    'document',
    'fetch',
    'getComputedStyle',
    'matchMedia',
    'setTimeout',
  ].map((name) => [name, 'readonly']),
);

export default defineConfig(
  { ignores: ['**/dist/', '**/.dist-next/', '.prepare/', 'coverage/', 'node_modules/', '.data/'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  js.configs.recommended,
  {
    rules: {
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'prefer-const': 'error',
      'no-var': 'error',
      'object-shorthand': 'error',
      'no-else-return': 'error',
      curly: ['error', 'multi-line'],
    },
  },
  {
    files: ['**/*.{mjs,cjs}'],
    languageOptions: { globals: nodeGlobals },
  },
  {
    files: ['src/admin/dashboard/page/*.js'],
    languageOptions: { globals: browserGlobals },
  },
  { files: ['**/*.cjs'], languageOptions: { globals: { module: 'writable', require: 'readonly' } } },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      ...noEnvironment,
      'no-console': 'error',
      'max-lines': ['error', { max: 450, skipBlankLines: true, skipComments: true }],

      // Rules of the strict set that find bugs and are compatible with Nest's decorated classes.
      '@typescript-eslint/no-extraneous-class': ['error', { allowWithDecorator: true }],
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/no-unnecessary-boolean-literal-compare': 'error',
      '@typescript-eslint/prefer-nullish-coalescing': ['error', { ignorePrimitives: true }],
      '@typescript-eslint/return-await': ['error', 'error-handling-correctness-only'],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/use-unknown-in-catch-callback-variable': 'error',

      // Does not apply to files with decorators, because Nest needs their class imports at run time for
      // injection.
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-import-type-side-effects': 'error',

      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true },
      ],
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true, allowAny: false, allowNullish: false },
      ],
      // An async method may implement an interface that returns promises without awaiting anything.
      '@typescript-eslint/require-await': 'off',
    },
  },
  {
    files: ['src/config/**/*.ts'],
    rules: { 'no-restricted-properties': 'off', 'no-restricted-imports': 'off' },
  },
  {
    files: [
      'src/main.ts',
      'src/worker.ts',
      'scripts/**/*.ts',
      'bench/**/*.ts',
      'packages/*/bench/**/*.ts',
      'test/proofs/**/*.ts',
    ],
    rules: { 'no-console': 'off' },
  },
  {
    files: ['packages/embedded-mongo/src/**/*.ts'],
    rules: {
      // Inner loops index arrays after checking their bounds.
      '@typescript-eslint/no-non-null-assertion': 'off',
      // Option values of any BSON type are compared with the allowed names through String().
      '@typescript-eslint/no-base-to-string': 'off',
    },
  },
  {
    files: specs,
    extends: [jest.configs['flat/recommended']],
    rules: {
      'max-lines': 'off',
      'jest/expect-expect': [
        'error',
        { assertFunctionNames: ['expect', 'expect*', 'check*', '**.expect*', 'fc.assert'] },
      ],
      // A property test may assert different things for different generated values.
      'jest/no-conditional-expect': 'off',
      'jest/no-commented-out-tests': 'error',
      'jest/no-disabled-tests': 'error',
      'jest/no-focused-tests': 'error',
      'jest/no-identical-title': 'error',
      'jest/valid-expect': 'error',
      // Jest's matchers and `it.each` are typed with `any`.
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/unbound-method': 'off',
      'jest/unbound-method': 'error',
      '@typescript-eslint/no-non-null-assertion': 'off',
    },
  },
  // The shared test setup passes server addresses to the suites in environment variables, and tests that
  // start the service as a separate process pass their environment on.
  {
    files: ['test/**/*.ts', 'packages/*/test/properties.ts'],
    rules: { 'no-restricted-properties': 'off' },
  },
  prettier,
);
