import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { ApiClient, asAppended, asCreated, asMessagePage, asTenantKey } from '../../src/cli/index.js';
import { AcknowledgedMessages } from '../proofs/backup/acknowledged.js';
import { type CommandEnd, startCommand } from '../proofs/backup/command.js';
import { newBackupKey } from '../support/backups.js';
import { createServiceFolder, type ServiceFolder, ServiceStartError } from '../support/process.js';

/** The commands of this suite run the build in `dist`, which `npm test` creates first. */
const dist = resolve(process.env['COLLOQUY_TEST_DIST'] ?? 'dist');

describe('the backup and restore commands', () => {
  let folder: ServiceFolder;
  let settings: Record<string, string>;

  beforeEach(async () => {
    folder = await createServiceFolder();
    settings = { DATA_DIR: folder.dataDir, BACKUP_KEY: newBackupKey() };
  });
  afterEach(() => folder.remove());

  const path = (...names: string[]): string => join(folder.cwd, ...names);

  const run = (name: string, args: string[], more: Record<string, string> = {}): Promise<CommandEnd> =>
    startCommand(dist, name, args, { cwd: folder.cwd, settings: { ...settings, ...more } }).ended;

  it('restore everything that was acknowledged before a backup beside a busy service began', async () => {
    const service = await folder.start();
    const load = await AcknowledgedMessages.prepare(service);
    load.start();
    await load.fill(() => load.messages.length >= 200);
    const acked = load.messages.length;
    const backup = await run('backup', ['--out', path('backups')]);
    const meanwhile = load.messages.length - acked;
    expect(backup).toMatchObject({ code: 0, output: expect.stringContaining('encrypted, verified') });
    await load.stop();
    await service.kill('SIGKILL');
    await rm(folder.dataDir, { recursive: true });

    const restore = await run('restore', ['--from', path('backups')], { DATA_DIR: path('new') });
    expect(restore).toMatchObject({ code: 0, output: expect.stringContaining('every checksum equal') });
    const again = await folder.start({ DATA_DIR: path('new') });
    const api = new ApiClient(again.url, load.key);
    const found = new Set<string>();
    for (const id of load.conversations) {
      let cursor: string | null = '';
      while (cursor !== null) {
        const more: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
        const page = await api.call(
          'GET',
          `/v1/conversations/${id}/messages?limit=100${more}`,
          asMessagePage,
        );
        for (const message of page.data) found.add(message.id);
        cursor = page.nextCursor;
      }
    }
    expect(load.messages.slice(0, acked).filter(({ id }) => !found.has(id))).toEqual([]);
    // Otherwise nothing was written during the backup, and this shows nothing.
    expect(meanwhile).toBeGreaterThan(0);
    // The restored service goes on.
    const conversation = await api.call('POST', '/v1/conversations', asCreated, {
      participantId: 'new',
      channel: 'web',
    });
    const messages = [{ role: 'user', content: 'hello' }];
    await api.call('POST', `/v1/conversations/${conversation.id}/messages`, asAppended, { messages });
  });

  it('explain in one line what is wrong, and exit with code 1', async () => {
    const nothing = await run('backup', ['--out', path('backups')]);
    expect(nothing).toMatchObject({
      code: 1,
      output: expect.stringMatching(/^There is no embedded store.*\n$/),
    });
    expect(await run('backup', [])).toMatchObject({
      code: 1,
      output: expect.stringMatching(/^Say where to: .*BACKUP_DIR\.\n$/),
    });
    const nowhere = await run('restore', ['--from', path('backups')]);
    expect(nowhere).toMatchObject({
      code: 1,
      output: expect.stringMatching(/^There is no whole backup.*\n$/),
    });
    expect(existsSync(folder.dataDir)).toBe(false);
  });

  it('delete old backups by the settings', async () => {
    const service = await folder.start();
    const rules = { BACKUP_KEEP_DAILY: '1', BACKUP_KEEP_WEEKLY: '0' };
    await run('backup', ['--out', path('backups'), '--no-rotate'], rules);
    const [first] = await readdir(path('backups'));
    const second = await run('backup', ['--out', path('backups')], rules);
    expect(second.output).toContain(`deleted old backups: ${first ?? 'none'}`);
    expect(await readdir(path('backups'))).toHaveLength(1);
    await service.kill('SIGTERM');
  });

  it('let no service start on a directory with an interrupted restore', async () => {
    const service = await folder.start();
    await run('backup', ['--out', path('backups')]);
    await service.kill('SIGTERM');
    await mkdir(path('new', '.restoring', 'store'), { recursive: true });
    const error: unknown = await folder.start({ DATA_DIR: path('new') }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ServiceStartError);
    expect((error as ServiceStartError).stderr).toMatch(/restore was interrupted.*npm run restore/);
    const repeated = await run('restore', ['--from', path('backups')], { DATA_DIR: path('new') });
    expect(repeated.code).toBe(0);
    await folder.start({ DATA_DIR: path('new') });
  });

  it('keep the tenants and their keys', async () => {
    const service = await folder.start();
    const tenant = { id: 'acme', name: 'Acme' };
    const key = await new ApiClient(service.url, service.adminKey).call(
      'POST',
      '/v1/tenants',
      asTenantKey,
      tenant,
    );
    await run('backup', ['--out', path('backups'), '--no-verify']);
    await service.kill('SIGTERM');
    const [name = ''] = await readdir(path('backups'));
    const manifest: unknown = JSON.parse(await readFile(path('backups', name, 'manifest.json'), 'utf8'));
    expect(manifest).toMatchObject({ kind: 'embedded', verifiedAt: null, formatVersion: 1 });
    const restore = await run('restore', ['--from', path('backups')], { DATA_DIR: path('new') });
    expect(restore.code).toBe(0);
    const again = await folder.start({ DATA_DIR: path('new') });
    const created = await new ApiClient(again.url, key).call('POST', '/v1/conversations', asCreated, {
      participantId: 'p',
      channel: 'web',
    });
    expect(created.id).toBeTruthy();
  });
});
