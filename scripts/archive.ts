// npm run archive: moves what is due to archives, and prints what was archived and kept. It works whether or
// not the service is running, with its DATA_DIR or MONGODB_URI. It can be stopped at any time; the next run
// continues.
import { Command, InvalidArgumentError, Option } from 'commander';
import { ArchiveRunService, ArchiveService, type RunResult } from '../src/archive/index.js';
import { renderBytes, renderTable } from '../src/cli/index.js';
import { MAX_RETENTION_DAYS, retentionKinds } from '../src/config/index.js';
import { DatabaseService, IndexManager } from '../src/database/index.js';
import { inApplication, runCommand } from '../src/tool.js';

interface Options {
  tenant?: string;
  kind?: string;
  olderThanDays?: number;
  dryRun?: boolean;
}

const number = (value: number): string => value.toLocaleString('en-US');

function days(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > MAX_RETENTION_DAYS)
    throw new InvalidArgumentError(`It must be a whole number from 0 to ${MAX_RETENTION_DAYS}.`);
  return value;
}

const rowOf = ({ tenantId, kind, ...result }: RunResult): string[] => [
  tenantId,
  kind,
  number(result.archived),
  number(result.kept),
  number(result.rows),
  renderBytes(result.freedBytes),
  renderBytes(result.archiveBytes),
  `${(result.durationMs / 1000).toFixed(1)} s`,
];

const archive = (
  { tenant, kind, olderThanDays, dryRun = false }: Options,
  signal: AbortSignal,
): Promise<boolean> =>
  inApplication(async (app) => {
    await app.get(IndexManager).prepare(app.get(DatabaseService).storeHandle.kind);
    const head = [
      'tenant',
      'kind',
      dryRun ? 'due' : 'archived',
      'kept',
      'documents',
      'freed',
      'archives',
      'time',
    ];
    const rows: string[][] = [];
    const request = {
      ...(tenant !== undefined && { tenantId: tenant }),
      ...(kind !== undefined && { kind }),
      ...(olderThanDays !== undefined && { olderThanDays }),
      dryRun,
    };
    const { totals } = await app.get(ArchiveRunService).run(request, {
      signal,
      onResult: (result) => {
        rows.push(rowOf(result));
      },
    });
    rows.push(rowOf({ tenantId: 'all', kind: '', ...totals }));
    process.stdout.write(renderTable([head, ...rows], new Set([2, 3, 4, 5, 6, 7])));
    process.stdout.write(
      dryRun
        ? '\nNothing was changed (--dry-run).\n'
        : `\nThe archives are in ${app.get(ArchiveService).location}. In a database file, freed space is used for new data; the file does not become smaller.\n`,
    );
    return true;
  });

await new Command('archive')
  .description(
    'Moves what is due by the retention policies to archives, and prints what was archived and kept.',
  )
  .option('--tenant <id>', 'only the data of this tenant')
  .addOption(new Option('--kind <kind>', 'only this kind of data').choices(retentionKinds))
  .option('--older-than-days <days>', 'ignore the retention policies: archive what is older', days)
  .option('--dry-run', 'only print what would be archived')
  .action((options: Options) =>
    runCommand(
      (signal) => archive(options, signal),
      'Stopped. What was archived until now is complete; the next run continues.',
    ),
  )
  .parseAsync();
