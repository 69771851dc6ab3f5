// The rules of the house (docs/decisions/, CONTRIBUTING.md): which room may import which. `npm run boundaries` checks them.

/** The rooms of src from top to bottom. A room imports from layers below its own, and not from its own layer. */
const layers = [
  ['admin'],
  ['conversation', 'transcript', 'delivery', 'catalog', 'archive'],
  ['session', 'tenant', 'queue', 'monitoring'],
  ['cache'],
  ['database', 'redis'],
  ['config', 'common'],
];

/** Imports within a layer that were decided on, as [from, to]. Give each its reason here. */
const neighbours = [
  // A session's routes need to know whose request it is; the tenant room knows nothing of sessions.
  ['session', 'tenant'],
  // The routes of jobs and of queues need to know whose request it is; the tenant room knows nothing of jobs.
  ['queue', 'tenant'],
  // Probes tell details to operators alone; the tenant room, which knows their key, knows nothing of probes.
  ['monitoring', 'tenant'],
  // Rooms tell their own metrics; monitoring knows nothing of them.
  ['queue', 'monitoring'],
  ['session', 'monitoring'],
  // A closed conversation becomes a transcript; the transcript room knows nothing of conversations.
  ['conversation', 'transcript'],
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

/** One rule for each folder: it may not reach up, nor sideways but where `allowed` says so. */
function downwardRules(prefix, root, order, allowed = []) {
  return order.flatMap((layer, depth) =>
    layer.map((name) => {
      const above = order.slice(0, depth).flat();
      const beside = layer.filter(
        (other) => other !== name && !allowed.some(([from, to]) => from === name && to === other),
      );
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
      // Types alone may go round within a folder; across folders the layers forbid it.
      comment: 'Modules that need each other at run time are one module, or miss a third one below both.',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'not-to-unresolvable',
      comment: 'An import that cannot be resolved is one that the other rules cannot see.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'room-in-the-plan',
      comment: 'A new room of src is given its layer in this file first.',
      severity: 'error',
      from: { path: '^src/[^/]+/', pathNot: `^src/${oneOf(layers.flat())}/` },
      to: {},
    },
    {
      name: 'room-through-its-door',
      comment: 'Another room is imported through its index.ts only.',
      severity: 'error',
      from: { path: '^src/([^/]+)/' },
      to: { path: '^src/[^/]+/', pathNot: ['^src/$1/', '^src/[^/]+/index\\.ts$'] },
    },
    {
      name: 'room-through-its-door-from-outside',
      comment: 'The entries, scripts and benchmarks import a room through its index.ts only.',
      severity: 'error',
      from: { path: ['^src/[^/]+\\.ts$', '^scripts/', '^bench/'] },
      to: { path: '^src/[^/]+/', pathNot: '^src/[^/]+/index\\.ts$' },
    },
    {
      name: 'door-keeps-repositories-in',
      comment: 'Nothing imports a repository or a schema of another room, so no door hands one out.',
      severity: 'error',
      from: { path: '^src/[^/]+/index\\.ts$' },
      to: { path: '\\.(repository|schema)\\.ts$', dependencyTypesNot: ['type-only'] },
    },
    ...downwardRules('room', 'src', layers, neighbours),
    {
      name: 'src-stands-alone',
      comment: 'The service needs no script, benchmark or test.',
      severity: 'error',
      from: { path: ['^src/', '^libs/'], pathNot: specs },
      to: { path: ['^scripts/', '^bench/', '^test/'] },
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
      name: 'store-through-its-door',
      comment: 'The embedded store is imported through its src/index.ts only.',
      severity: 'error',
      from: { pathNot: `^${store}/` },
      to: { path: `^${store}/`, pathNot: `^${store}/src/index\\.ts$` },
    },
    {
      name: 'store-folder-in-the-plan',
      comment: 'A new folder of the store is given its layer in this file first.',
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
    // `import type` counts: a room that knows another room's types knows the room.
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
