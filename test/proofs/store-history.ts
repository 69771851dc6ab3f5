// npm run verify -- store-history --transactions 600 --kills 5: runs random concurrent transactions against
// the embedded store in its own process, which is repeatedly killed with SIGKILL, then checks their history
// for snapshot isolation.
import { join } from 'node:path';
import { Command } from 'commander';
import { wholeNumber } from '../support/options.js';
import { type HistoryRun, runHistory } from './store/history-run.js';

const main = join(import.meta.dirname, 'store', 'store-child.js');

async function verify(options: Omit<HistoryRun, 'main'>): Promise<boolean> {
  process.stdout.write(`seed ${options.seed}\n`);
  const begun = performance.now();
  const { problems, damage, errors, openedInMs, stderr, ...counts } = await runHistory({ ...options, main });
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  process.stdout.write(
    `${options.transactions} transactions of ${options.clients} clients, ${options.kills} kills, ${seconds} s\n` +
      `committed ${counts.committed}, aborted ${counts.aborted}, ` +
      `unknown ${counts.unknown} (${counts.unknownStored} of these stored)\n` +
      `write skews (allowed by snapshot isolation): ${counts.writeSkews}\n` +
      `opened in ${openedInMs.map((ms) => `${Math.round(ms)} ms`).join(', ')}\n` +
      `errors: ${[...errors].map(([name, count]) => `${count} x ${name}`).join(', ')}\n`,
  );
  if (stderr) process.stdout.write(`output of the store:\n${stderr}\n`);
  for (const { kind, text } of problems) process.stdout.write(`${kind}: ${text}\n`);
  for (const text of damage) process.stdout.write(`damaged: ${text}\n`);
  const clean = problems.length + damage.length === 0;
  process.stdout.write(
    clean
      ? 'No acknowledged write was lost, no aborted write is stored, and every snapshot was consistent.\n'
      : `${problems.length + damage.length} problems.\n`,
  );
  return clean;
}

await new Command('npm run verify -- store-history')
  .description(
    'Runs random transactions against the embedded store, kills it, and checks the recorded history.',
  )
  .option('--transactions <count>', 'number of transactions', wholeNumber, 600)
  .option('--kills <count>', 'number of kills of the store', wholeNumber, 5)
  .option('--clients <count>', 'number of concurrent clients', wholeNumber, 16)
  .option('--seed <number>', 'seed for the random choices (default: random)', wholeNumber)
  .action(async ({ seed = Math.floor(Math.random() * 2 ** 32), ...options }: Omit<HistoryRun, 'main'>) => {
    process.exitCode = (await verify({ ...options, seed })) ? 0 : 1;
  })
  .parseAsync();
