// npm run archive:restore: moves the contents of a tenant's archives back into the database. It works whether
// or not the service is running, with its DATA_DIR or MONGODB_URI. Nothing that is stored is overwritten; it may
// be repeated.
import { Command, InvalidArgumentError, Option } from 'commander';
import { ArchiveService } from '../src/archive/index.js';
import { retentionKinds, type RetentionKind } from '../src/config/index.js';
import { DatabaseService, IndexManager } from '../src/database/index.js';
import { inApplication, runCommand } from '../src/tool.js';

interface Options {
  tenant: string;
  kind?: RetentionKind;
  from?: Date;
  to?: Date;
}

const number = (value: number): string => value.toLocaleString('en-US');
const say = (text: string): void => void process.stdout.write(`${text}\n`);

function time(text: string): Date {
  const date = new Date(text);
  if (!/^\d{4}-\d{2}-\d{2}/.test(text) || Number.isNaN(date.getTime()))
    throw new InvalidArgumentError('It must be a date or time as 2026-11-21 or 2026-11-21T12:00:00Z (UTC).');
  return date;
}

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
    if (total.archives === 0) say('There is no archive of this tenant, kind and time.');
    else
      say(
        `${number(total.restored)} restored (${number(total.rows)} documents) from ${number(total.archives)} archives; ` +
          `${number(total.present)} were present already, ${number(total.conflicting)} were left out.`,
      );
    return total.archives > 0 && total.conflicting === 0;
  });

await new Command('archive-restore')
  .description("Moves the contents of a tenant's archives back into the database.")
  .requiredOption('--tenant <id>', 'the tenant')
  .addOption(new Option('--kind <kind>', 'only this kind of data').choices(retentionKinds))
  .option('--from <time>', 'only archives with data that was last active at this time or later', time)
  .option('--to <time>', 'only archives with data that was last active at this time or earlier', time)
  .addHelpText(
    'after',
    '\nThe exit code is 1 if something was left out because other data is stored in its place.',
  )
  .action((options: Options) =>
    runCommand(
      (signal) => restore(options, signal),
      'Stopped before the restore was complete. The same command restores the rest.',
    ),
  )
  .parseAsync();
