import { conversationTranscripts } from '../../src/conversation/closing/conversation-transcript.queue.js';
import type { ClosedConversationView } from '../../src/conversation/closing/closing.dto.js';
import type { MessageView } from '../../src/conversation/message.dto.js';
import type { ParticipantView } from '../../src/conversation/participant.dto.js';
import type { Page } from '../../src/http/index.js';
import { createTestApp, type TestApp, type TestTenant } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { collectionsWith } from '../support/stored-text.js';

let app: TestApp;
let tenant: TestTenant;

beforeAll(async () => {
  app = await createTestApp({ TRANSCRIPT_BATCH_TIMEOUT_MS: '20' }, { workers: true });
});
afterAll(() => app.close());
beforeEach(async () => {
  tenant = await app.createTenant();
});

const open = async (participantId = 'ana', channel = 'web'): Promise<string> =>
  (await tenant.request<{ id: string }>('POST', '/v1/conversations', { participantId, channel })).body.id;
const append = async (id: string, ...contents: string[]): Promise<MessageView[]> => {
  const messages = contents.map((content) => ({ role: 'user', content, metadata: { content } }));
  const path = `/v1/conversations/${id}/messages`;
  return (await tenant.request<{ data: MessageView[] }>('POST', path, { messages })).body.data;
};
const read = async (id: string): Promise<MessageView[]> =>
  (await tenant.request<Page<MessageView>>('GET', `/v1/conversations/${id}/messages`)).body.data;
const pathOf = ({ conversationId, id }: MessageView): string =>
  `/v1/conversations/${conversationId}/messages/${id}`;

async function close(id: string): Promise<string> {
  const { body } = await tenant.request<ClosedConversationView>('POST', `/v1/conversations/${id}/close`);
  const job = `/v1/jobs/${conversationTranscripts.name}/${String(body.job?.id)}`;
  await eventually(async () => (await tenant.request('GET', job)).body['state'] === 'completed');
  const path = `/v1/transcripts/${String(body.transcriptId)}`;
  await eventually(async () => (await tenant.request('GET', path)).body['status'] === 'stored');
  return path;
}

describe('a message', () => {
  it('is edited in its place, and says when', async () => {
    const id = await open();
    const [first, second] = await append(id, 'One', 'Two');
    if (!first || !second) throw new Error('not appended');
    const edited = await tenant.request<MessageView>('PATCH', pathOf(first), {
      content: 'One, corrected',
      metadata: { content: null, by: 'agent' },
    });
    expect(edited).toMatchObject({ status: 200, body: { content: 'One, corrected' } });
    expect(await read(id)).toEqual([
      {
        ...first,
        content: 'One, corrected',
        metadata: { by: 'agent' },
        editedAt: expect.stringMatching(/Z$/) as string,
      },
      second,
    ]);
    expect((await tenant.request('PATCH', pathOf(first), { content: '' })).status).toBe(400);
    expect((await tenant.request('PATCH', pathOf(first), { role: 'tool' })).status).toBe(400);
  });

  it('loses its attachments by a null, as optional members do in a merge patch', async () => {
    const id = await open();
    const message = {
      role: 'user',
      content: 'Look',
      attachments: [{ type: 'image', url: 'https://a.example/' }],
    };
    const path = `/v1/conversations/${id}/messages`;
    const { body } = await tenant.request<{ data: MessageView[] }>('POST', path, { messages: [message] });
    const [first] = body.data;
    if (!first) throw new Error('not appended');
    expect((await tenant.request('PATCH', pathOf(first), { content: 'See' })).body['attachments']).toEqual(
      message.attachments,
    );
    expect(await tenant.request('PATCH', pathOf(first), { attachments: null })).toMatchObject({
      status: 200,
      body: { content: 'See', attachments: [] },
    });
  });

  it('keeps its place without content when it is deleted, so that seq has no gaps', async () => {
    const id = await open();
    const [first, second, third] = await append(id, 'One', 'Two', 'Three');
    if (!first || !second || !third) throw new Error('not appended');
    await tenant.request('PATCH', pathOf(second), { content: 'nightjar' });
    expect((await tenant.request('DELETE', pathOf(second))).status).toBe(204);
    expect((await tenant.request('DELETE', pathOf(second))).status).toBe(204);
    expect(await tenant.request('PATCH', pathOf(second), { content: 'Back' })).toMatchObject({
      status: 409,
      body: { code: 'message_deleted' },
    });
    const deletedAt = expect.stringMatching(/Z$/) as string;
    const emptied = { ...second, content: '', attachments: [], metadata: {}, deletedAt };
    expect(await read(id)).toEqual([first, emptied, third]);
    expect((await append(id, 'Four'))[0]?.seq).toBe(4);
    expect(await collectionsWith(app.database, 'nightjar')).toEqual([]);
  });

  it('is found in no transcript after its deletion, and the next closing makes one without it', async () => {
    const id = await open();
    const [, secret] = await append(id, 'A table by the window', 'My number is nightingale', 'Thanks');
    if (!secret) throw new Error('not appended');
    const former = await close(id);
    await tenant.request('DELETE', pathOf(secret));
    expect((await tenant.request('GET', former)).status).toBe(404);
    expect(await collectionsWith(app.database, 'nightingale')).toEqual([]);
    const { body } = await tenant.request('GET', await close(id));
    expect(body['transcript']).toBe('> A table by the window\n> Thanks');
  });

  it('is not found under another conversation', async () => {
    const [message] = await append(await open(), 'One');
    const other = await open();
    for (const method of ['PATCH', 'DELETE'])
      expect(
        await tenant.request(method, `/v1/conversations/${other}/messages/${String(message?.id)}`, {
          ...(method === 'PATCH' && { content: 'x' }),
        }),
      ).toMatchObject({ status: 404, body: { code: 'message_not_found' } });
  });
});

describe('GET /v1/participants', () => {
  const page = async (query: string): Promise<Page<ParticipantView>> =>
    (await tenant.request<Page<ParticipantView>>('GET', `/v1/participants?${query}`)).body;

  it('lists each participant once, in order, with the last activity, page by page', async () => {
    for (const id of ['cy', 'ana', 'Zoë', 'bob', '日本']) await append(await open(id), 'Hello');
    const [latest] = await append(await open('bob', 'sms'), 'Hello again');
    const seen: ParticipantView[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const { data, nextCursor }: Page<ParticipantView> = await page(
        `limit=2${cursor && `&cursor=${cursor}`}`,
      );
      expect(data.length).toBeLessThanOrEqual(2);
      seen.push(...data);
      cursor = nextCursor;
    }
    expect(seen.map(({ participantId }) => participantId)).toEqual(['Zoë', 'ana', 'bob', 'cy', '日本']);
    expect(seen.find(({ participantId }) => participantId === 'bob')).toEqual({
      participantId: 'bob',
      conversations: 2,
      lastActivityAt: latest?.timestamp,
    });
    expect(await page('cursor=no')).toMatchObject({ code: 'invalid_cursor' });
  });

  it('leaves out those whose conversations are erased', async () => {
    const id = await open('gone');
    await open('here');
    await tenant.request('DELETE', `/v1/conversations/${id}`);
    expect((await page('')).data.map(({ participantId }) => participantId)).toEqual(['here']);
  });
});
