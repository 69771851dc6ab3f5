// npm run build: installs when needed and always builds.
import { prepare } from './lib/prepare.mjs';
import { runScript, usage } from './lib/report.mjs';

usage('npm run build', 'Installs packages when needed, then builds dist.');
await runScript(() => prepare({ forceBuild: true }));
