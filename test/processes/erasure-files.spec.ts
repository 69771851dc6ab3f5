import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EmbeddedMongo } from '@colloquy/embedded-mongo';
import { ApiClient } from '../../src/cli/index.js';
import { eventually } from '../support/eventually.js';
import { createServiceFolder, type ServiceFolder } from '../support/process.js';

/** Whether the file contains the text. */
async function contains(path: string, text: string): Promise<boolean> {
  let rest = Buffer.alloc(0);
  for await (const chunk of createReadStream(path)) {
    const bytes = Buffer.concat([rest, chunk as Buffer]);
    if (bytes.includes(text)) return true;
    rest = bytes.subarray(-text.length);
  }
  return false;
}

describe('the data file of the embedded store', () => {
  let folder: ServiceFolder;
  let copies: string;

  beforeAll(async () => {
    folder = await createServiceFolder();
    copies = await mkdtemp(join(tmpdir(), 'colloquy-copies-'));
  });
  afterAll(async () => {
    await folder.remove();
    await rm(copies, { recursive: true, force: true });
  });

  const compacted = async (name: string): Promise<string> => {
    const dir = join(copies, name);
    await EmbeddedMongo.copy(join(folder.dataDir, 'store'), dir);
    return join(dir, 'data.mdb');
  };

  it('contains nothing of an erased participant after compaction', async () => {
    const service = await folder.start({ TRANSCRIPT_BATCH_TIMEOUT_MS: '20' });
    const admin = new ApiClient(service.url, service.adminKey);
    const { body } = await admin.request('POST', '/v1/tenants', { id: 'acme', name: 'Acme' });
    const tenant = new ApiClient(service.url, (body as { apiKey: string }).apiKey);
    const secret = `secret-${randomBytes(12).toString('hex')}`;
    const participantId = `person-${randomBytes(12).toString('hex')}`;
    for (const id of [participantId, 'somebody-else'])
      for (let at = 0; at < 30; at++)
        await tenant.request('POST', '/v1/messages', {
          participantId: id,
          channel: 'web',
          content: id === participantId ? `${secret} ${at}` : `Something else ${at}`,
        });
    await tenant.request('PATCH', `/v1/sessions/${participantId}`, { context: { note: secret } });
    const transcript = { participantId, channel: 'web', transcript: `A talk about ${secret}` };
    const { id } = (await tenant.request('POST', '/v1/transcripts', transcript)).body as { id: string };
    await eventually(async () => {
      const state = (await tenant.request('GET', `/v1/transcripts/${id}`)).body as { status: string };
      return state.status === 'stored';
    });
    const before = await compacted('before');
    expect([await contains(before, secret), await contains(before, participantId)]).toEqual([true, true]);

    expect(await tenant.request('DELETE', `/v1/participants/${participantId}`)).toMatchObject({
      status: 200,
    });
    await service.kill('SIGTERM');
    const after = await compacted('after');
    expect([await contains(after, secret), await contains(after, participantId)]).toEqual([false, false]);
    expect(await contains(after, 'somebody-else')).toBe(true);
  });
});
