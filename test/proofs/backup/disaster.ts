import { existsSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ApiClient, asMessagePage } from '../../../src/cli/index.js';
import { ServiceProcess } from '../../support/service-process.js';
import { AcknowledgedMessages } from './acknowledged.js';
import { startCommand } from './command.js';

export interface Drill {
  /** Size to which the store is filled. */
  bytes: number;
  /** The directory of the build. */
  dist: string;
  /** An empty directory. */
  cwd: string;
  backupKey: string;
  onStep?: (text: string) => void;
}

export interface DrillResult {
  storeBytes: number;
  /** Messages that were acknowledged before the backup began, and those that are missing after the restore. */
  acked: number;
  missing: number;
  /** Messages that were acknowledged while the backup was made. */
  ackedMeanwhile: number;
  /** Seconds. */
  fill: number;
  backup: number;
  restore: number;
  start: number;
  check: number;
}

const PAGE = 100;
const shape = { textBytes: 1500, batch: 100 };

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return (performance.now() - begun) / 1000;
}

/** Reads every message of a conversation over the API. */
async function idsOf(api: ApiClient, conversation: string): Promise<string[]> {
  const ids: string[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const more: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const path = `/v1/conversations/${conversation}/messages?limit=${PAGE}${more}`;
    const page = await api.call('GET', path, asMessagePage);
    for (const { id } of page.data) ids.push(id);
    cursor = page.nextCursor;
  }
  return ids;
}

/**
 * Fills a service, makes a backup under load, kills the service, deletes its data, restores into a new directory,
 * starts a service on it, and compares what it has with what was acknowledged.
 */
export async function runDrill(options: Drill): Promise<DrillResult> {
  const { bytes, dist, cwd, backupKey, onStep = () => undefined } = options;
  const path = (...names: string[]): string => join(cwd, ...names);
  const start = (dataDir: string): Promise<ServiceProcess> =>
    ServiceProcess.start({
      main: join(dist, 'src', 'main.js'),
      cwd,
      env: { NODE_ENV: 'development', PORT: '0', LOG_LEVEL: 'error', DATA_DIR: dataDir },
    });
  const command = async (name: string, args: string[], dataDir: string): Promise<void> => {
    const settings = { DATA_DIR: dataDir, BACKUP_KEY: backupKey };
    const { code, output } = await startCommand(dist, name, args, { cwd, settings }).ended;
    onStep(output.trim());
    if (code !== 0) throw new Error(`${name} failed`);
  };
  let service = await start(path('data'));
  try {
    const load = await AcknowledgedMessages.prepare(service, shape);
    const size = (): number => statSync(path('data', 'store', 'data.mdb')).size;
    const fill = await seconds(() => load.fill(() => size() >= bytes));
    const storeBytes = size();
    onStep(`filled in ${fill.toFixed(0)} s`);
    load.start();
    const before = load.messages.length;
    const backup = await seconds(() => command('backup', ['--out', path('backups')], path('data')));
    const ackedMeanwhile = load.messages.length - before;
    await service.kill('SIGKILL');
    await load.stop();
    await rm(path('data'), { recursive: true });
    const restore = await seconds(() => command('restore', ['--from', path('backups')], path('new')));
    const started = await seconds(async () => {
      service = await start(path('new'));
    });
    const found = new Set<string>();
    const check = await seconds(async () => {
      const api = new ApiClient(service.url, load.key);
      for (const ids of await Promise.all(load.conversations.map((id) => idsOf(api, id))))
        for (const id of ids) found.add(id);
    });
    const missing = load.messages.slice(0, before).filter(({ id }) => !found.has(id)).length;
    if (existsSync(path('data'))) throw new Error('the data of the first service was not deleted');
    return {
      storeBytes,
      acked: before,
      missing,
      ackedMeanwhile,
      fill,
      backup,
      restore,
      start: started,
      check,
    };
  } finally {
    await service.kill('SIGKILL');
  }
}
