import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ArchiveRunService, ArchiveService } from '../../src/archive/index.js';
import { ConversationEraser } from '../../src/conversation/conversation-eraser.js';
import { ArchivableRegistry, type RowsToRestore } from '../../src/database/index.js';
import { createTestApp, type TestApp, type TestTenant } from '../support/app.js';

/** More than two transactions restore. */
const MESSAGES = 1250;

const { signal } = new AbortController();

let directory: string;
let app: TestApp;
let tenant: TestTenant;
let conversationId: string;
let before: string[];

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'archives-'));
  app = await createTestApp({ ARCHIVE_DIR: directory, ARCHIVE_SCHEDULE: 'off' });
});
beforeEach(async () => {
  tenant = await app.createTenant();
  conversationId = await converse();
  before = await storedMessages();
  const request = { tenantId: tenant.tenantId, olderThanDays: 0, dryRun: false };
  await app.app.get(ArchiveRunService).run(request, { signal });
});
afterEach(() => {
  jest.restoreAllMocks();
});
afterAll(async () => {
  await app.close();
  rmSync(directory, { recursive: true, force: true });
});

/** Stores a conversation of ana, and returns its id. */
async function converse(): Promise<string> {
  const { body } = await tenant.request<{ id: string }>('POST', '/v1/conversations', {
    participantId: 'ana',
    channel: 'web',
  });
  for (let begin = 0; begin < MESSAGES; begin += 100)
    await tenant.request('POST', `/v1/conversations/${body.id}/messages`, {
      messages: Array.from({ length: Math.min(100, MESSAGES - begin) }, (_, index) => ({
        role: 'user',
        content: `message ${begin + index}`,
        externalId: `ext-${begin + index}`,
      })),
    });
  return body.id;
}

/** All messages of the tenant, as the bytes in which they are stored. */
async function storedMessages(): Promise<string[]> {
  const rows = await app.database
    .collection('messages')
    .find({ tenantId: tenant.tenantId }, { raw: true, sort: { _id: 1 } })
    .toArray();
  return (rows as unknown as Buffer[]).map((bytes) => bytes.toString('base64'));
}

const restore = (): Promise<{ restored: number; conflicting: number; rows: number }> =>
  app.app.get(ArchiveService).restoreRange({ tenantId: tenant.tenantId }, signal, () => undefined);

/** Calls `then` before the second group of the conversation's rows is restored. */
function beforeSecondGroup(then: () => Promise<void>): void {
  const kind = app.app.get(ArchivableRegistry).find('conversations');
  if (!kind) throw new Error('conversations cannot be archived');
  const original = kind.restore.bind(kind);
  let groups = 0;
  jest.spyOn(kind, 'restore').mockImplementation(async (tenantId: string, group: RowsToRestore) => {
    if (++groups === 2) await then();
    await original(tenantId, group);
  });
}

const interrupt = (): Promise<void> => Promise.reject(new Error('interrupted'));

const everything = { restored: 1, conflicting: 0, rows: MESSAGES + 1 };

const visible = async (): Promise<number> => {
  const listed = await tenant.request<{ data: unknown[] }>('GET', '/v1/messages');
  return listed.body.data.length;
};

it('hides a conversation until all of its messages have been restored', async () => {
  const seen: unknown[] = [];
  beforeSecondGroup(async () => {
    const { status } = await tenant.request('GET', `/v1/conversations/${conversationId}`);
    seen.push({ status, visible: await visible(), stored: (await storedMessages()).length });
  });
  expect(await restore()).toMatchObject(everything);
  expect(seen).toEqual([{ status: 404, visible: 0, stored: 200 }]);
  expect(await storedMessages()).toEqual(before);
  const { body } = await tenant.request('GET', `/v1/conversations/${conversationId}`);
  expect(body).toMatchObject({ messageCount: MESSAGES });
});

it('deletes what an interrupted restore has inserted', async () => {
  beforeSecondGroup(interrupt);
  await expect(restore()).rejects.toThrow('interrupted');
  expect(await storedMessages()).toHaveLength(200);
  expect(await visible()).toBe(0);
  await app.app.get(ConversationEraser).sweep(new Date(Date.now() + 1));
  expect(await storedMessages()).toEqual([]);
  expect(await restore()).toMatchObject(everything);
  expect(await storedMessages()).toEqual(before);
});

it('restores everything when repeated at once after an interruption', async () => {
  beforeSecondGroup(interrupt);
  await expect(restore()).rejects.toThrow('interrupted');
  expect(await restore()).toMatchObject(everything);
  expect(await storedMessages()).toEqual(before);
});

it('fails if what it has inserted is being deleted, and succeeds when repeated', async () => {
  beforeSecondGroup(async () => {
    await app.app.get(ConversationEraser).sweep(new Date(Date.now() + 1));
  });
  await expect(restore()).rejects.toThrow();
  expect(await visible()).toBe(0);
  expect(await restore()).toMatchObject(everything);
  expect(await storedMessages()).toEqual(before);
});

it('restores nothing of a participant who is erased after its claim was lost', async () => {
  const erasures: number[] = [];
  beforeSecondGroup(async () => {
    await app.database.collection('schedules').updateMany({}, { $unset: { holder: 1, heldUntil: 1 } });
    const { status } = await tenant.request('DELETE', '/v1/participants/ana');
    erasures.push(status);
  });
  await expect(restore()).rejects.toThrow('was changed by an erasure while it was being restored');
  expect(erasures).toEqual([200]);
  expect(await storedMessages()).toEqual([]);
  expect(await restore()).toMatchObject({ restored: 0, rows: 0 });
});
