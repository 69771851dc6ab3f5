import { chmod, mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { ApiClient, asTenantKey } from '../../src/cli/index.js';
import { createTestDatabase } from '../support/database.js';
import {
  createServiceFolder,
  type ServiceFolder,
  type ServiceProcess,
  ServiceStartError,
} from '../support/process.js';

async function occupyPort(): Promise<{ server: Server; port: number }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, port: (server.address() as AddressInfo).port };
}

const createTenant = ({ url, adminKey }: ServiceProcess, id: string): Promise<string> =>
  new ApiClient(url, adminKey).call('POST', '/v1/tenants', asTenantKey, { id, name: id });

describe('npm start', () => {
  let folder: ServiceFolder;

  beforeEach(async () => {
    folder = await createServiceFolder();
  });
  afterEach(() => folder.remove());

  /** Starts the service, expects that to fail, and returns the lines printed to stderr. */
  async function failedStart(settings: Record<string, string>): Promise<string[]> {
    // On a busy machine the start logs warnings about slow commands.
    const error: unknown = await folder
      .start({ LOG_LEVEL: 'error', ...settings })
      .catch((reason: unknown) => reason);
    if (!(error instanceof ServiceStartError)) throw new Error('the service started', { cause: error });
    expect(error.exit).toEqual({ code: 1, signal: null });
    expect(error.stdout).toBe('');
    return error.stderr.trim().split('\n');
  }

  it('prints one line and exits with code 1 if the port is in use', async () => {
    const { server, port } = await occupyPort();
    try {
      const lines = await failedStart({ PORT: String(port) });
      expect(lines).toEqual([
        expect.stringMatching(new RegExp(`^Port ${port} on 127\\.0\\.0\\.1 is in use\\..*PORT`)),
      ]);
    } finally {
      server.close();
    }
  });

  it('prints one line and exits with code 1 if the data directory cannot be created', async () => {
    // No folder can be created inside a regular file, not even by root, who ignores permissions.
    const file = join(folder.cwd, 'a-file');
    await writeFile(file, '');
    const lines = await failedStart({ DATA_DIR: join(file, 'data') });
    expect(lines).toEqual([
      expect.stringContaining(`The data directory ${join(file, 'data')} cannot be written`),
    ]);
    expect(lines[0]).toContain('DATA_DIR');
  });

  it('works in a folder with any name that was there before, and makes it accessible to its user alone', async () => {
    const dir = join(folder.cwd, `100% of "Ünï" #1? ${'x'.repeat(150)}`);
    await mkdir(dir, { mode: 0o755 });
    await chmod(dir, 0o755);
    const service = await folder.start({ DATA_DIR: dir });
    await createTenant(service, 'private');
    const names = (await readdir(dir, { recursive: true })).sort();
    expect(names).toEqual(['admin-api-key', 'store', 'store/data.mdb', 'store/lock.mdb']);
    for (const name of ['.', ...names]) {
      const { mode } = await stat(join(dir, name));
      expect([name, mode & 0o077]).toEqual([name, 0]);
    }
  });

  it('lists all invalid settings at once and exits with code 1', async () => {
    const lines = await failedStart({
      PORT: 'http',
      LOG_LEVEL: 'loud',
      MAX_ACTIVE_SESSIONS: '0',
      MONGODB_URI: 'localhost:27017',
    });
    expect(lines).toEqual([
      'The settings are not valid:',
      expect.stringContaining('PORT: "http" must be a whole number'),
      expect.stringContaining('LOG_LEVEL: "loud" must be trace, debug'),
      expect.stringContaining('MONGODB_URI: must start with mongodb://'),
      expect.stringContaining('MAX_ACTIVE_SESSIONS: "0" must be at least 1'),
    ]);
  });

  it('reports an unreachable database without its password and exits with code 1', async () => {
    const { server, port } = await occupyPort();
    await new Promise((resolve) => server.close(resolve));
    const lines = await failedStart({
      MONGODB_URI: `mongodb://user:hidden-word@127.0.0.1:${port}/shop`,
      MONGODB_SERVER_SELECTION_TIMEOUT_MS: '300',
      DATABASE_CONNECT_ATTEMPTS: '1',
    });
    expect(lines).toEqual([
      expect.stringContaining(`mongodb://127.0.0.1:${port}/shop could not be reached in 1 attempts`),
    ]);
    expect(lines[0]).not.toContain('hidden-word');
  });

  it('reports a server without vector search if VECTOR_SEARCH=atlas, and exits with code 1', async () => {
    const database = createTestDatabase();
    try {
      const lines = await failedStart({
        LOG_LEVEL: 'error',
        VECTOR_SEARCH: 'atlas',
        MONGODB_URI: database.uri,
      });
      expect(lines[0]).toMatch(/VECTOR_SEARCH=atlas: this MongoDB server does not support vector search/);
    } finally {
      await database.drop();
    }
  });

  it('prints how to use it, and keeps the generated admin key and the stored data across a restart', async () => {
    const first = await folder.start();
    expect(first.stdout).toContain(`Colloquy is listening on ${first.url}`);
    expect(first.stdout).toContain(join(folder.dataDir, 'store'));
    expect(first.stdout).toContain('MONGODB_URI');
    expect(first.stdout).toContain(first.adminKey);
    expect(first.stdout).toContain(`curl -s ${first.url}/v1/messages`);
    const key = await createTenant(first, 'kept');
    expect(await first.kill('SIGTERM')).toEqual({ code: 0, signal: null });
    const second = await folder.start();
    expect(second.adminKey).toBe(first.adminKey);
    expect(await new ApiClient(second.url, key).request('GET', '/v1/tenant')).toMatchObject({
      status: 200,
      body: { id: 'kept' },
    });
  });
});

describe('a data directory that several processes use', () => {
  let folder: ServiceFolder;
  let workers: ServiceFolder;

  beforeEach(async () => {
    folder = await createServiceFolder();
    workers = await createServiceFolder('worker.js');
  });
  afterEach(async () => {
    await workers.remove();
    await folder.remove();
  });

  const startedWorker = async (): Promise<ServiceProcess> => {
    const worker = await workers.start({ DATA_DIR: folder.dataDir });
    const health = await new ApiClient(worker.url, undefined).request('GET', '/health/ready');
    expect(health).toMatchObject({ status: 200, body: { status: 'ok' } });
    return worker;
  };

  it('has one store, that of the first process, which a second service and a worker use', async () => {
    const first = await folder.start();
    const second = await folder.start();
    const key = await createTenant(first, 'shared');
    const answer = await new ApiClient(second.url, key).request('GET', '/v1/tenant');
    expect(answer).toMatchObject({ status: 200, body: { id: 'shared' } });
    const worker = await startedWorker();
    expect(await worker.kill('SIGTERM')).toEqual({ code: 0, signal: null });
  });

  it('has a store that a worker opens when it is alone', async () => {
    const worker = await startedWorker();
    expect(await worker.kill('SIGTERM')).toEqual({ code: 0, signal: null });
  });
});
