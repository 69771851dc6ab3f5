// Which module may import which (docs/decisions/, CONTRIBUTING.md). `npm run boundaries` checks it.

/** The modules of src from top to bottom. A module imports from layers below its own, and not from its own layer. */
const layers = [
  ['bootstrap', 'cli'],
  ['admin'],
  ['conversation'],
  ['responder', 'transcript'],
  ['search'],
  ['queue', 'session'],
  ['monitoring'],
  ['tenant'],
  ['cache'],
  ['database', 'redis'],
  ['http'],
  ['logging'],
  ['config', 'http-client'],
  ['common'],
];

/** The folders of libs/embedded-mongo/src from top to bottom (its ARCHITECTURE.md); `src/index.ts` is above them all. */
const storeLayers = [
  ['server'],
  ['commands'],
  ['aggregate'],
  ['engine'],
  ['update'],
  ['query'],
  ['expression'],
  ['values'],
];

const store = 'libs/embedded-mongo';
const specs = '(\\.spec\\.ts$|^libs/[^/]+/test/|^test/)';

const oneOf = (names) => `(${names.join('|')})`;

/** One rule for each folder: it may not import from layers above, nor from others of its own layer. */
function downwardRules(prefix, root, order) {
  return order.flatMap((layer, depth) =>
    layer.map((name) => {
      const above = order.slice(0, depth).flat();
      const beside = layer.filter((other) => other !== name);
      return {
        name: `${prefix}-${name}-imports-downward`,
        comment: `${root}/${name} may only import from the layers below it.`,
        severity: 'error',
        from: { path: `^${root}/${name}/` },
        // Files directly in the root belong to no folder: they are the entries, above all layers.
        to: { path: [...[...above, ...beside].map((other) => `^${root}/${other}/`), `^${root}/[^/]+\\.ts$`] },
      };
    }),
  );
}

module.exports = {
  forbidden: [
    {
      name: 'no-circular',
      comment: 'Files that need each other, if only for types, are one file, or lack a third one below both.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'not-to-unresolvable',
      comment: 'An import that cannot be resolved is one that the other rules cannot see.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'module-has-a-layer',
      comment: 'Give a new module of src its layer at the top of this file.',
      severity: 'error',
      from: { path: '^src/[^/]+/', pathNot: `^src/${oneOf(layers.flat())}/` },
      to: {},
    },
    {
      name: 'module-through-its-index',
      comment: 'Another module is imported through its index.ts only.',
      severity: 'error',
      from: { path: '^src/([^/]+)/' },
      to: { path: '^src/[^/]+/', pathNot: ['^src/$1/', '^src/[^/]+/index\\.ts$'] },
    },
    {
      name: 'module-through-its-index-from-outside',
      comment: 'The entries, scripts and benchmarks import a module through its index.ts only.',
      severity: 'error',
      from: { path: ['^src/[^/]+\\.ts$', '^scripts/', '^bench/'] },
      to: { path: '^src/[^/]+/', pathNot: '^src/[^/]+/index\\.ts$' },
    },
    {
      name: 'index-exports-no-repository',
      comment: 'Repositories and schemas are private to their module, so no index.ts exports one.',
      severity: 'error',
      from: { path: '^src/[^/]+/index\\.ts$' },
      to: { path: '\\.(repository|schema)\\.ts$', dependencyTypesNot: ['type-only'] },
    },
    ...downwardRules('module', 'src', layers),
    {
      name: 'src-stands-alone',
      comment: 'The service needs no script, benchmark or test.',
      severity: 'error',
      from: { path: ['^src/', '^libs/'], pathNot: specs },
      to: { path: ['^scripts/', '^bench/', '^test/'] },
    },
    {
      name: 'scripts-are-entries',
      comment: 'What scripts share with benchmarks or tests is in src/cli.',
      severity: 'error',
      from: { path: '^scripts/' },
      to: { path: ['^bench/', '^test/'] },
    },
    {
      name: 'bench-and-tests-need-no-script',
      comment: 'What scripts share with benchmarks or tests is in src/cli.',
      severity: 'error',
      from: { path: ['^bench/', '^test/'] },
      to: { path: '^scripts/' },
    },
    {
      name: 'tests-need-no-benchmark',
      comment: 'What tests share with benchmarks is in test/support.',
      severity: 'error',
      from: { path: '^test/' },
      to: { path: '^bench/' },
    },
    {
      name: 'not-to-spec',
      comment: 'What two specs share belongs into a support file.',
      severity: 'error',
      from: {},
      to: { path: '\\.spec\\.ts$' },
    },
    {
      name: 'store-knows-nothing-of-colloquy',
      comment: 'The embedded store is a library of its own.',
      severity: 'error',
      from: { path: `^${store}/` },
      to: { path: ['^src/', '^scripts/', '^bench/', '^test/', '^dist/'] },
    },
    {
      name: 'store-through-its-index',
      comment: 'The embedded store is imported through its src/index.ts only.',
      severity: 'error',
      from: { pathNot: `^${store}/` },
      to: { path: `^${store}/`, pathNot: `^${store}/src/index\\.ts$` },
    },
    {
      name: 'store-folder-has-a-layer',
      comment: 'Give a new folder of the store its layer at the top of this file.',
      severity: 'error',
      from: { path: `^${store}/src/[^/]+/`, pathNot: `^${store}/src/${oneOf(storeLayers.flat())}/` },
      to: {},
    },
    ...downwardRules('store', `${store}/src`, storeLayers),
    {
      name: 'not-to-dev-dep',
      comment: 'What runs in production is listed under dependencies.',
      severity: 'error',
      from: { path: ['^src/', '^libs/', '^scripts/'], pathNot: specs },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'listed-in-package-json',
      comment: 'A package that is imported is listed in package.json, not merely present through another.',
      severity: 'error',
      from: {},
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
  ],
  options: {
    // `import type` counts: it couples modules as other imports do.
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    // An import of './x.js' is of x.ts: dependency-cruiser tries the TypeScript extension itself when there is no x.js.
    enhancedResolveOptions: {
      extensions: ['.ts', '.mts', '.js', '.mjs', '.cjs', '.json'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
      mainFields: ['module', 'main', 'types'],
    },
    doNotFollow: { path: 'node_modules' },
    exclude: { path: ['^dist/', '^coverage/'] },
  },
};
