// npm run build: installs when needed and always builds.
import { prepare } from './lib/prepare.mjs';
import { runScript } from './lib/report.mjs';

await runScript(() => prepare({ forceBuild: true }));
