// npm run backup -- --out DIR: makes a backup of the database and the archives while the service runs, or when
// it does not. It uses the service's DATA_DIR or MONGODB_URI, and BACKUP_KEY if the backup shall be encrypted.
// Interrupted or killed, it leaves no backup.
import { Command } from 'commander';
import { type BackupReport, BackupError, BackupService } from '../src/archive/index.js';
import { renderBytes } from '../src/cli/index.js';
import { settingsFromEnvironment } from '../src/config/index.js';
import { createLogger } from '../src/logging/index.js';
import { runCommand } from '../src/tool.js';

interface Options {
  out?: string;
  verify: boolean;
  rotate: boolean;
}

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const number = (value: number): string => value.toLocaleString('en-US');

function print(report: BackupReport): void {
  const { path, kind, rows, collections, bytes, storedBytes, archives, linkedArchives } = report;
  const state = [
    report.encrypted ? 'encrypted' : 'not encrypted',
    report.verified ? 'verified by a restore' : 'not verified',
  ];
  say(path);
  say(
    `${kind === 'embedded' ? 'embedded store' : 'MongoDB'}: ${number(rows)} documents of ${number(collections)} collections; ${number(archives)} archives, ${number(linkedArchives)} of them unchanged`,
  );
  say(
    `${renderBytes(bytes)}, ${renderBytes(storedBytes)} in the backup, ${state.join(', ')}, ${(report.durationMs / 1000).toFixed(1)} s`,
  );
  if (report.removed.length > 0) say(`deleted old backups: ${report.removed.join(', ')}`);
}

async function backUp({ out, verify, rotate }: Options, signal: AbortSignal): Promise<boolean> {
  const settings = settingsFromEnvironment();
  const outDir = out ?? settings.archive.BACKUP_DIR;
  if (outDir === undefined)
    throw new BackupError('Say where to: npm run backup -- --out DIR, or set BACKUP_DIR.');
  const logger = createLogger({ level: 'warn', pretty: process.stdout.isTTY });
  print(await new BackupService(settings, logger).run({ outDir, verify, rotate, signal }));
  return true;
}

await new Command('backup')
  .description(
    'Makes a backup of the database and the archives, beside a running service or without one. docs/recovery.md is the manual.',
  )
  .option('--out <directory>', 'directory in which backups are made (default: BACKUP_DIR)')
  .option('--no-verify', 'do not restore the backup into a scratch store to compare it')
  .option('--no-rotate', 'delete no old backups')
  .action((options: Options) =>
    runCommand((signal) => backUp(options, signal), 'Stopped. There is no backup of this run.'),
  )
  .parseAsync();
