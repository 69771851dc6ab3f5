// Writes .env.example from the settings' schema. With --check, only reports whether the file is up to date
// (exit code 1: no).
import { readFile, writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import { renderEnvExample } from '../src/config/index.js';

const file = '.env.example';

async function isUpToDate(): Promise<boolean> {
  try {
    return (await readFile(file, 'utf8')) === renderEnvExample();
  } catch {
    return false;
  }
}

await new Command('settings-example')
  .description(`Writes ${file}: every setting with its purpose, unit and default.`)
  .option('--check', 'write nothing, and exit with code 1 when the file is not up to date')
  .action(async ({ check = false }: { check?: boolean }) => {
    if (await isUpToDate()) process.stdout.write(`${file} is up to date.\n`);
    else if (check) {
      process.stderr.write(`${file} is not up to date: run npm run settings:example.\n`);
      process.exitCode = 1;
    } else {
      await writeFile(file, renderEnvExample());
      process.stdout.write(`Wrote ${file}.\n`);
    }
  })
  .parseAsync();
