// node scripts/run.mjs NAME [ARGUMENTS]: installs and builds when needed, then runs scripts/NAME.ts as built; a NAME that
// begins with bench/ is a benchmark, bench/….ts.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { dist } from './lib/paths.mjs';
import { stopWithParent } from './lib/parent.mjs';
import { prepare } from './lib/prepare.mjs';
import { Failure, runScript } from './lib/report.mjs';
import { runBuilt } from './lib/run-built.mjs';

const [name = '', ...args] = process.argv.slice(2);
const source = name.startsWith('bench/') ? name : `scripts/${name}`;
const path = join(dist, `${source}.js`);

stopWithParent();
await runScript(async () => {
  if (!/^[\w-]+(\/[\w-]+)*$/.test(name)) throw new Failure('Usage: node scripts/run.mjs NAME [ARGUMENTS]');
  await prepare();
  if (!existsSync(path)) throw new Failure(`There is no script of the name "${name}" (${source}.ts).`);
});
await runBuilt(path, args);
