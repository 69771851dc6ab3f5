// npm run restore -- --from DIR: restores a backup into an empty DATA_DIR, or into an empty MongoDB database if
// MONGODB_URI is set. Interrupted or killed, it leaves a target on which no service starts, and the same command
// starts again.
import { Command } from 'commander';
import { restoreBackup, type BackupRestoreReport } from '../src/archive/index.js';
import { settingsFromEnvironment } from '../src/config/index.js';
import { createLogger } from '../src/logging/index.js';
import { runCommand } from '../src/tool.js';

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const number = (value: number): string => value.toLocaleString('en-US');

function print(report: BackupRestoreReport): void {
  const { backup, target, rows, collections, archives, erasures, createdAt, durationMs } = report;
  say(`restored ${backup} of ${createdAt.toISOString()} into ${target}`);
  say(
    `${number(rows)} documents of ${number(collections)} collections, ${number(archives)} archives, every checksum equal, ${(durationMs / 1000).toFixed(1)} s`,
  );
  if (erasures > 0)
    say(`${number(erasures)} participants were erased since; the service erases them again when it starts`);
  if (!report.hasErasures)
    process.stderr.write(
      'There is no erasures.ndjson next to the backup. If participants were erased since it was made, they are back: see docs/recovery.md.\n',
    );
}

await new Command('restore')
  .description(
    'Restores a backup into an empty DATA_DIR, or an empty MongoDB database. docs/recovery.md is the manual.',
  )
  .requiredOption(
    '--from <directory>',
    'a backup, or the directory in which backups are made, of which the newest is restored',
  )
  .action(({ from }: { from: string }) =>
    runCommand(async (signal) => {
      const settings = settingsFromEnvironment();
      const logger = createLogger({ level: 'warn', pretty: process.stdout.isTTY });
      print(await restoreBackup(settings, logger, { from, signal }));
      return true;
    }, 'Stopped before the restore was complete. The same command starts again.'),
  )
  .parseAsync();
