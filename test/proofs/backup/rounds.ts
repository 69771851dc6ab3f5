import { existsSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { EmbeddedMongo } from '@colloquy/embedded-mongo';
import { mongo } from 'mongoose';
import { BackupKeys } from '../../../src/archive/backup/backup-keys.js';
import { readManifest } from '../../../src/archive/backup/manifest.js';
import { checkStoredFile } from '../../../src/archive/backup/stored-file.js';
import { prepareDataDir } from '../../../src/config/index.js';
import { seededRandom } from '../../support/random.js';
import { ServiceProcess } from '../../support/service-process.js';
import { AcknowledgedMessages } from './acknowledged.js';
import { type CommandEnd, startCommand } from './command.js';

export interface BackupRounds {
  rounds: number;
  seed: number;
  /** The directory of the build. */
  dist: string;
  /** An empty directory. */
  cwd: string;
  backupKey?: string;
  onRound?: (round: BackupRound) => void;
}

export interface BackupRound {
  round: number;
  /** Milliseconds from the start of the command to its kill. */
  backupKilledAfterMs: number;
  /** Whether the kill came after the backup was complete. */
  isBackupThere: boolean;
  restoreKilledAfterMs: number;
  isRestoreThere: boolean;
  /** Messages that were acknowledged before the restored backup began. */
  acked: number;
  problems: string[];
}

const FIRST_MESSAGES = 1000;

const isBackupName = (name: string): boolean => /^\d{4}-\d\d-\d\dT/.test(name);

/** Checks every file of a backup against its manifest. @throws BackupError */
async function checkBackup(path: string, keys: BackupKeys): Promise<void> {
  const { files } = await readManifest(path, keys);
  for (const file of files) await checkStoredFile(path, file, new AbortController().signal);
}

/** Kills backups of a service under load, and restores of these backups, at random moments. */
class Rounds {
  private readonly random: () => number;
  private readonly settings: Record<string, string>;
  /** For each backup, how many messages had been acknowledged when it began. */
  private readonly ackedBefore = new Map<string, number>();
  private readonly typicalMs = { backup: 0, restore: 0 };
  private load: AcknowledgedMessages | undefined;

  constructor(private readonly options: BackupRounds) {
    this.random = seededRandom(options.seed);
    this.settings = {
      DATA_DIR: this.path('data'),
      BACKUP_KEEP_DAILY: '1',
      BACKUP_KEEP_WEEKLY: '0',
      ...(options.backupKey !== undefined && { BACKUP_KEY: options.backupKey }),
    };
  }

  async run(): Promise<BackupRound[]> {
    const { dist, cwd, rounds, onRound } = this.options;
    const env = { NODE_ENV: 'development', PORT: '0', LOG_LEVEL: 'error', ...this.settings };
    const service = await ServiceProcess.start({ main: join(dist, 'src', 'main.js'), cwd, env });
    const results: BackupRound[] = [];
    try {
      this.load = await AcknowledgedMessages.prepare(service);
      await this.load.fill(() => (this.load?.messages.length ?? 0) >= FIRST_MESSAGES);
      this.load.start();
      await this.measure();
      for (let round = 1; round <= rounds; round++) {
        const result = await this.round(round);
        results.push(result);
        onRound?.(result);
      }
    } finally {
      await this.load?.stop();
      await service.kill('SIGKILL');
    }
    return results;
  }

  private path(...names: string[]): string {
    return join(this.options.cwd, ...names);
  }

  /** One backup and one restore that are not killed, to know how long they take. */
  private async measure(): Promise<void> {
    const backup = await this.backUp();
    const restore = await this.restore();
    for (const { code, output } of [backup, restore]) if (code !== 0) throw new Error(output);
    this.typicalMs.backup = backup.ms;
    this.typicalMs.restore = restore.ms;
    await rm(this.path('restored'), { recursive: true });
  }

  private async command(
    name: string,
    args: string[],
    settings: Record<string, string>,
    killAfterMs?: number,
  ): Promise<CommandEnd> {
    const { dist, cwd } = this.options;
    const command = startCommand(dist, name, args, { cwd, settings });
    if (killAfterMs !== undefined) void delay(killAfterMs).then(() => command.kill());
    return command.ended;
  }

  private async backUp(killAfterMs?: number): Promise<CommandEnd> {
    const before = new Set(await this.backups());
    const acked = this.load?.messages.length ?? 0;
    const end = await this.command('backup', ['--out', this.path('backups')], this.settings, killAfterMs);
    for (const name of await this.backups()) if (!before.has(name)) this.ackedBefore.set(name, acked);
    return end;
  }

  private restore(killAfterMs?: number): Promise<CommandEnd> {
    const settings = { ...this.settings, DATA_DIR: this.path('restored') };
    return this.command('restore', ['--from', this.path('backups')], settings, killAfterMs);
  }

  private async backups(): Promise<string[]> {
    await mkdir(this.path('backups'), { recursive: true });
    return (await readdir(this.path('backups'))).filter(isBackupName).sort();
  }

  private async round(round: number): Promise<BackupRound> {
    const problems: string[] = [];
    const before = (await this.backups()).at(-1);
    const backupKilledAfterMs = Math.round(this.random() * this.typicalMs.backup * 1.1);
    await this.backUp(backupKilledAfterMs);
    const names = await this.backups();
    await this.checkBackups(names, problems);
    // The newest one may be from an earlier round.
    const newest = names.at(-1) ?? '';

    const restoreKilledAfterMs = Math.round(this.random() * this.typicalMs.restore * 1.1);
    await this.restore(restoreKilledAfterMs);
    const isRestoreThere = existsSync(this.path('restored', 'store'));
    if (!isRestoreThere) await this.repeatRestore(problems);
    const acked = this.ackedBefore.get(newest) ?? NaN;
    await this.checkRestored(acked, problems);
    await rm(this.path('restored'), { recursive: true, force: true });
    return {
      round,
      backupKilledAfterMs,
      isBackupThere: newest !== before,
      restoreKilledAfterMs,
      isRestoreThere,
      acked,
      problems,
    };
  }

  /** Everything with the name of a backup must be a whole one. */
  private async checkBackups(names: readonly string[], problems: string[]): Promise<void> {
    if (names.length === 0) problems.push('no backup is left');
    const keys = BackupKeys.fromSetting(this.options.backupKey);
    for (const name of names)
      await checkBackup(this.path('backups', name), keys).catch((error: unknown) =>
        problems.push(`${name}: ${String(error)}`),
      );
  }

  /** Without a store, the directory is empty, or no service starts on it. The same command then succeeds. */
  private async repeatRestore(problems: string[]): Promise<void> {
    const dataDir = this.path('restored');
    if (existsSync(join(dataDir, '.restoring'))) {
      try {
        prepareDataDir(dataDir);
        problems.push('a service would start on a restore that is incomplete');
      } catch {
        // As it should be.
      }
    }
    const { code, output } = await this.restore();
    if (code !== 0) problems.push(`the repeated restore failed: ${output}`);
  }

  private async checkRestored(acked: number, problems: string[]): Promise<void> {
    const store = await EmbeddedMongo.open({ dir: this.path('restored', 'store') });
    const client = new mongo.MongoClient(store.uri);
    try {
      const rows = client
        .db('colloquy')
        .collection('messages')
        .find({}, { projection: { _id: 1 } });
      const found = new Set((await rows.toArray()).map(({ _id }) => String(_id)));
      const lost = this.load?.messages.slice(0, acked).filter(({ id }) => !found.has(id)) ?? [];
      if (!(acked > 0)) problems.push('nothing was acknowledged before the backup');
      if (lost.length > 0) problems.push(`${lost.length} acknowledged messages are missing`);
      const { valid } = (await client.db('colloquy').command({ validate: 'messages' })) as { valid: boolean };
      if (!valid) problems.push('the restored messages are not valid');
    } finally {
      await client.close();
      await store.close();
    }
  }
}

/**
 * Runs the requested number of rounds. Each kills a backup and a restore with SIGKILL at random moments, and
 * checks that there are only whole backups, and that the repeated restore has everything that was acknowledged.
 */
export const runBackupRounds = (options: BackupRounds): Promise<BackupRound[]> => new Rounds(options).run();
