// npm start: installs and builds when needed, then becomes the service. The built entry file is loaded into
// this process rather than a child process, so that signals, standard streams and the exit code are those of
// the service.
import { join } from 'node:path';
import { runBuilt } from './lib/run-built.mjs';
import { dist } from './lib/paths.mjs';
import { stopWithParent } from './lib/parent.mjs';
import { prepare } from './lib/prepare.mjs';
import { runScript, usage } from './lib/report.mjs';

const [first, ...rest] = process.argv.slice(2);
const asWorker = first === '--worker';

usage(
  asWorker ? 'npm run worker' : 'npm start',
  'Installs and builds when needed, then runs the service.',
  'npm run worker does only the background work: queues and transcripts.',
  'Settings come from the environment and .env; .env.example describes each.',
);
stopWithParent();
await runScript(() => prepare());
await runBuilt(
  join(dist, 'src', asWorker ? 'worker.js' : 'main.js'),
  asWorker ? rest : process.argv.slice(2),
  join(dist, 'src', 'instrument.js'),
);
