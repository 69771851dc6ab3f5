import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { ApiClient, asTenantKey } from '../../src/cli/index.js';
import { newBackupKey } from '../support/backups.js';
import { createServiceFolder, type ServiceFolder } from '../support/process.js';

const page = readFileSync('docs/recovery.md', 'utf8');
const root = process.cwd();
const dist = resolve(process.env['COLLOQUY_TEST_DIST'] ?? 'dist');

/** The fenced blocks of the manual that are marked for this suite, in its order. They may be indented. */
function markedCommands(): string[] {
  const commands: string[] = [];
  let open: string[] | undefined;
  for (const line of page.split('\n').map((text) => text.trim())) {
    if (line === '```sh recovery') open = [];
    else if (line === '```' && open) {
      commands.push(open.join('\n'));
      open = undefined;
    } else open?.push(line);
  }
  return commands;
}

const commands = markedCommands();

describe('docs/recovery.md', () => {
  let folder: ServiceFolder;
  let settings: Record<string, string>;

  beforeAll(async () => {
    folder = await createServiceFolder();
    settings = {
      BACKUPS: join(folder.cwd, 'backups'),
      DATA_DIR: folder.dataDir,
      NEW_DATA_DIR: join(folder.cwd, 'new'),
      SCRATCH_DATA_DIR: join(folder.cwd, 'scratch'),
      BACKUP_KEY: newBackupKey(),
    };
  });
  afterAll(() => folder.remove());

  /**
   * Runs a block as an operator would. `npm run NAME -- …` is replaced by the built script that it runs, because
   * npm would build first; that it runs this script is what the proof of all commands checks.
   */
  async function runBlock(block: string): Promise<{ code: unknown; output: string }> {
    const script = block.replaceAll(
      /npm run (?:--silent )?([a-z]+) -- /g,
      (_all, name: string) => `"${process.execPath}" "${join(dist, 'scripts', `${name}.js`)}" `,
    );
    const child = spawn('sh', ['-e', '-u', '-c', script], {
      cwd: root,
      env: { PATH: process.env['PATH'], NODE_ENV: 'test', ...settings },
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (output += text));
    const [code] = (await once(child, 'close')) as [unknown];
    return { code, output };
  }

  it('has the commands for a backup, a lost machine, the mistake of a tenant, and practicing', () => {
    expect(commands).toHaveLength(4);
    expect(commands[0]).toContain('npm run backup');
    for (const command of commands.slice(1)) expect(command).toContain('npm run restore');
  });

  it('recovers a service with its commands, in their order', async () => {
    const service = await folder.start();
    const tenant = { id: 'acme', name: 'Acme' };
    const key = await new ApiClient(service.url, service.adminKey).call(
      'POST',
      '/v1/tenants',
      asTenantKey,
      tenant,
    );
    for (const command of commands) expect(await runBlock(command)).toMatchObject({ code: 0 });
    await service.kill('SIGKILL');
    for (const dir of ['NEW_DATA_DIR', 'SCRATCH_DATA_DIR'] as const) {
      const again = await folder.start({ DATA_DIR: settings[dir] ?? '' });
      expect((await new ApiClient(again.url, key).request('GET', '/v1/conversations')).status).toBe(200);
    }
    expect((await readdir(settings['BACKUPS'] ?? '')).length).toBe(1);
  });

  it('names only commands, settings and files that exist', () => {
    const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: object };
    const example = readFileSync('.env.example', 'utf8');
    const named = [...page.matchAll(/npm run (?:--silent )?([a-z:]+)/g)].map(([, name]) => name ?? '');
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
    const settingsNamed = [...page.matchAll(/`((?:BACKUP|ARCHIVE|SECRETS|ADMIN)_[A-Z_]+)`/g)];
    expect(settingsNamed.length).toBeGreaterThan(5);
    expect(settingsNamed.filter(([, name]) => !example.includes(`${name ?? ''}=`))).toEqual([]);
  });
});
