// npm run verify -- disaster --gib 1: fills a service, makes a backup under load, kills the service, deletes its
// data, restores the backup into a new directory and starts a service on it. It checks that everything that was
// acknowledged before the backup is there, and prints how long each step took.
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { renderBytes } from '../../src/cli/index.js';
import { type DrillResult, runDrill } from './backup/disaster.js';

const dist = join(import.meta.dirname, '..', '..');
const GIB = 1024 ** 3;

function amount(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('It must be a number above 0.');
  return value;
}

const say = (text: string): void => void process.stdout.write(`${text}\n`);

function print(result: DrillResult): void {
  const { storeBytes, acked, missing, ackedMeanwhile, fill, backup, restore, start, check } = result;
  const recovery = (restore + start) / 60;
  say(
    `${acked} messages acknowledged before the backup, ${ackedMeanwhile} while it was made, ${missing} missing`,
  );
  say(`store of ${renderBytes(storeBytes)}, filled in ${fill.toFixed(1)} s`);
  say(
    `backup ${backup.toFixed(1)} s; restore ${restore.toFixed(1)} s, start ${start.toFixed(1)} s; check ${check.toFixed(1)} s`,
  );
  say(
    `From the loss to a running service: ${recovery.toFixed(1)} minutes. ${missing === 0 ? 'Everything is there.' : 'FAILED.'}`,
  );
}

await new Command('npm run verify -- disaster')
  .description(
    'Deletes the data of a loaded service and restores its backup. Checks that everything is there.',
  )
  .option('--gib <size>', 'size of the store in GiB', amount, 1)
  .action(async ({ gib }: { gib: number }) => {
    const cwd = await mkdtemp(join(tmpdir(), 'colloquy-disaster-'));
    try {
      const backupKey = randomBytes(32).toString('base64');
      const result = await runDrill({ bytes: gib * GIB, dist, cwd, backupKey, onStep: say });
      print(result);
      process.exitCode = result.missing === 0 ? 0 : 1;
    } finally {
      await rm(cwd, { recursive: true, force: true });
    }
  })
  .parseAsync();
