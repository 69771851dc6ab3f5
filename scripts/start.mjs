// npm start: installs and builds when needed, then becomes the service. The built entry is loaded into this very process
// rather than a child, so that signals, standard streams and the exit code are the service's own.
import { join } from 'node:path';
import { runBuilt } from './lib/run-built.mjs';
import { dist } from './lib/paths.mjs';
import { stopWithParent } from './lib/parent.mjs';
import { prepare } from './lib/prepare.mjs';
import { runScript } from './lib/report.mjs';

const [first, ...rest] = process.argv.slice(2);
const asWorker = first === '--worker';

stopWithParent();
await runScript(() => prepare());
await runBuilt(
  join(dist, 'src', asWorker ? 'worker.js' : 'main.js'),
  asWorker ? rest : process.argv.slice(2),
  join(dist, 'src', 'instrument.js'),
);
