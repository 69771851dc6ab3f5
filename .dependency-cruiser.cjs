// Rules about which module may import which (docs/decisions/, CONTRIBUTING.md), checked by `npm run
// boundaries`.

/** The modules of src, from top to bottom. A module only imports from layers below its own. */
const layers = [
  ['bootstrap', 'cli'],
  ['admin'],
  ['archive'],
  ['conversation'],
  ['responder', 'transcript'],
  ['search'],
  ['queue', 'session'],
  ['tenant'],
  ['cache'],
  ['database', 'redis'],
  ['monitoring'],
  ['http'],
  ['logging'],
  ['config', 'http-client'],
  ['common'],
];

/**
 * The folders of packages/embedded-mongo/src, from top to bottom (see its ARCHITECTURE.md). `src/index.ts` is
 * above all of them.
 */
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

const store = 'packages/embedded-mongo';
const specs = '(\\.spec\\.ts$|^packages/[^/]+/test/|^test/)';

const oneOf = (names) => `(${names.join('|')})`;

/**
 * Creates one rule per folder: it must not import from layers above, or from other folders of its own layer.
 */
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
        // Files directly in the root are the entry files, above all layers.
        to: { path: [...[...above, ...beside].map((other) => `^${root}/${other}/`), `^${root}/[^/]+\\.ts$`] },
      };
    }),
  );
}

module.exports = {
  forbidden: [
    {
      name: 'no-circular',
      comment:
        'Files must not import each other, even only for types. Merge them, or move what they share into a third file.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'not-to-unresolvable',
      comment: 'The other rules cannot check an import that cannot be resolved.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'module-has-a-layer',
      comment: 'Add the module to `layers` at the top of .dependency-cruiser.cjs.',
      severity: 'error',
      from: { path: '^src/[^/]+/', pathNot: `^src/${oneOf(layers.flat())}/` },
      to: {},
    },
    {
      name: 'module-through-its-index',
      comment: 'Import another module only through its index.ts.',
      severity: 'error',
      from: { path: '^src/([^/]+)/' },
      to: { path: '^src/[^/]+/', pathNot: ['^src/$1/', '^src/[^/]+/index\\.ts$'] },
    },
    {
      name: 'module-through-its-index-from-outside',
      comment: 'Entry files, scripts and benchmarks import a module only through its index.ts.',
      severity: 'error',
      from: { path: ['^src/[^/]+\\.ts$', '^scripts/', '^bench/', '^examples/'] },
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
      comment: 'The service must not depend on scripts, benchmarks or tests.',
      severity: 'error',
      from: { path: ['^src/', '^packages/[^/]+/src/'], pathNot: specs },
      to: { path: ['^scripts/', '^bench/', '^test/', '^examples/'] },
    },
    {
      name: 'scripts-are-entries',
      comment: 'Code that scripts share with benchmarks or tests belongs in src/cli.',
      severity: 'error',
      from: { path: '^scripts/' },
      to: { path: ['^bench/', '^test/'] },
    },
    {
      name: 'bench-and-tests-need-no-script',
      comment: 'Code that scripts share with benchmarks or tests belongs in src/cli.',
      severity: 'error',
      from: { path: ['^bench/', '^test/'] },
      to: { path: '^scripts/' },
    },
    {
      name: 'tests-need-no-benchmark',
      comment: 'Code that tests share with benchmarks belongs in test/support.',
      severity: 'error',
      from: { path: '^test/' },
      to: { path: '^bench/' },
    },
    {
      name: 'not-to-spec',
      comment: 'Code that two specs share belongs in a support file.',
      severity: 'error',
      from: {},
      to: { path: '\\.spec\\.ts$' },
    },
    {
      name: 'store-knows-nothing-of-colloquy',
      comment: 'The embedded store is an independent library.',
      severity: 'error',
      from: { path: `^${store}/` },
      to: { path: ['^src/', '^scripts/', '^bench/', '^test/', '^dist/'] },
    },
    {
      name: 'store-through-its-index',
      comment: 'Import the embedded store only through the exports of its package.json.',
      severity: 'error',
      from: { pathNot: `^${store}/` },
      to: { path: `^${store}/`, pathNot: `^${store}/(src|bench)/index\\.ts$` },
    },
    {
      name: 'store-folder-has-a-layer',
      comment: 'Add the folder to `storeLayers` at the top of .dependency-cruiser.cjs.',
      severity: 'error',
      from: { path: `^${store}/src/[^/]+/`, pathNot: `^${store}/src/${oneOf(storeLayers.flat())}/` },
      to: {},
    },
    ...downwardRules('store', `${store}/src`, storeLayers),
    {
      name: 'not-to-dev-dep',
      comment: 'Packages that are used in production must be listed under dependencies.',
      severity: 'error',
      from: { path: ['^src/', '^packages/[^/]+/src/', '^scripts/'], pathNot: specs },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'listed-in-package-json',
      comment:
        'An imported package must be listed in package.json, not merely installed as a dependency of another.',
      severity: 'error',
      from: {},
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
  ],
  options: {
    // `import type` counts too, because it couples modules like other imports.
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    // './x.js' refers to x.ts: dependency-cruiser tries the TypeScript extension when there is no x.js.
    enhancedResolveOptions: {
      extensions: ['.ts', '.mts', '.js', '.mjs', '.cjs', '.json'],
      exportsFields: ['exports'],
      conditionNames: ['@colloquy/source', 'import', 'node', 'default', 'types'],
      mainFields: ['module', 'main', 'types'],
    },
    doNotFollow: { path: 'node_modules' },
    exclude: { path: ['^dist/', '^coverage/', '^packages/[^/]+/dist/'] },
  },
};
