// npm run archive:restore: moves the contents of a tenant's archives back into the database. It works whether
// or not the service is running, with its DATA_DIR or MONGODB_URI. Nothing that is stored is overwritten; it may
// be repeated.
import { Command, InvalidArgumentError, Option } from 'commander';
import { ArchiveService } from '../src/archive/index.js';
import { retentionKinds, type RetentionKind } from '../src/config/index.js';
import { DatabaseService, IndexManager } from '../src/database/index.js';
import { inApplication, runCommand } from '../src/tool.js';

const DAY_MS = 86_400_000;

interface Options {
  tenant: string;
  kind?: RetentionKind;
  from?: Date;
  to?: Date;
  again?: boolean;
}

const number = (value: number): string => value.toLocaleString('en-US');
const say = (text: string): void => void process.stdout.write(`${text}\n`);

/** A date without a time stands for its beginning. */
function time(text: string): Date {
  const date = new Date(text);
  if (!/^\d{4}-\d{2}-\d{2}/.test(text) || Number.isNaN(date.getTime()))
    throw new InvalidArgumentError('It must be a date or time as 2026-11-21 or 2026-11-21T12:00:00Z (UTC).');
  return date;
}

/** A date without a time stands for its end. */
const endOf = (text: string): Date =>
  new Date(time(text).getTime() + (/^\d{4}-\d{2}-\d{2}$/.test(text) ? DAY_MS - 1 : 0));

const restore = ({ tenant, ...range }: Options, signal: AbortSignal): Promise<boolean> =>
  inApplication(async (app) => {
    await app.get(IndexManager).prepare(app.get(DatabaseService).storeHandle.kind);
    const total = await app
      .get(ArchiveService)
      .restoreRange({ tenantId: tenant, ...range }, signal, ({ id, kind, from, to }, report) => {
        say(
          `${id}  ${kind}  ${from ?? ''} to ${to ?? ''}: ${number(report.restored)} restored, ` +
            `${number(report.present)} present, ${number(report.conflicting)} in conflict`,
        );
        for (const { id: root, reason } of report.conflicts) say(`  ${root} was not restored: ${reason}`);
      });
    if (total.known > 0)
      say(
        `${number(total.known)} archives were restored before and left out. With --again, what was deleted since then comes back.`,
      );
    if (total.archives === 0 && total.known === 0 && total.skipped === 0)
      say('There is no archive of this tenant, kind and time.');
    if (total.archives > 0)
      say(
        `${number(total.restored)} restored (${number(total.rows)} documents) from ${number(total.archives)} archives; ` +
          `${number(total.present)} were present already, ${number(total.conflicting)} were left out because of conflicts, and ${number(total.erased)} because their participants were erased.`,
      );
    if (total.skipped > 0)
      say(
        `${number(total.skipped)} archives were skipped, because an archive run was interrupted or is still working on them. Run "npm run archive", and then this again.`,
      );
    return total.archives + total.known > 0 && total.conflicting === 0 && total.skipped === 0;
  });

await new Command('archive-restore')
  .description("Moves the contents of a tenant's archives back into the database.")
  .requiredOption('--tenant <id>', 'the tenant')
  .addOption(new Option('--kind <kind>', 'only this kind of data').choices(retentionKinds))
  .option('--from <time>', 'only archives with data that was last active at this time or later', time)
  .option('--to <time>', 'only archives with data that was last active at this time or earlier', endOf)
  .option('--again', 'also archives that were restored completely before')
  .addHelpText(
    'after',
    '\nThe exit code is 1 if something was left out because other data is stored in its place, or archives were skipped.',
  )
  .action((options: Options) =>
    runCommand(
      (signal) => restore(options, signal),
      'Stopped before the restore was complete. The same command restores the rest.',
    ),
  )
  .parseAsync();
