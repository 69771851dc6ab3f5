import { getConnectionToken } from '@nestjs/mongoose';
import type { Connection, mongo } from 'mongoose';
import { ConversationEraser } from '../../src/conversation/conversation-eraser.js';
import { conversationsQuery } from '../../src/conversation/conversation.dto.js';
import { ConversationRepository } from '../../src/conversation/conversation.repository.js';
import type { ConversationRecord } from '../../src/conversation/conversation.schema.js';
import { externalKeyOf } from '../../src/conversation/external-key.js';
import { ConversationService } from '../../src/conversation/conversation.service.js';
import { appendMessagesBody, type MessageInput, messagesQuery } from '../../src/conversation/message.dto.js';
import { MessageRepository, type SeqRange } from '../../src/conversation/message.repository.js';
import type { MessageRecord } from '../../src/conversation/message.schema.js';
import { MessageService } from '../../src/conversation/message.service.js';
import { dateIdCursor, idCursor } from '../../src/http/index.js';
import { createTestApp, type TestApp } from '../support/app.js';

interface Process {
  conversations: ConversationService;
  messages: MessageService;
  eraser: ConversationEraser;
}

const processOf = ({ app }: TestApp): Process => ({
  conversations: app.get(ConversationService),
  messages: app.get(MessageService),
  eraser: app.get(ConversationEraser),
});

const inputs = (...contents: (string | Partial<MessageInput>)[]): MessageInput[] =>
  appendMessagesBody.parse({
    messages: contents.map((content) => ({
      role: 'user',
      ...(typeof content === 'string' ? { content } : { content: 'x', ...content }),
    })),
  }).messages;

const contents = (messages: readonly MessageRecord[]): string[] => messages.map(({ content }) => content);
const oneTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

describe('conversations and messages in the database', () => {
  let first: TestApp;
  let second: TestApp;
  let one: Process;
  let other: Process;
  let count = 0;
  let tenantId: string;

  beforeAll(async () => {
    // Two processes that continuously write to one conversation conflict with each other repeatedly.
    const patient = { TRANSACTION_MAX_ATTEMPTS: '200' };
    first = await createTestApp(patient);
    // A second process on the same database. The two share only the stored data.
    second = await createTestApp({ ...patient, MONGODB_URI: first.database.uri });
    [one, other] = [processOf(first), processOf(second)];
  });
  afterAll(async () => {
    await second.close();
    await first.close();
  });
  beforeEach(() => {
    tenantId = `tenant-${++count}`;
  });

  const create = (participantId = 'ana', channel = 'web'): Promise<ConversationRecord> =>
    one.conversations.create(tenantId, { participantId, channel, metadata: {} });
  const idOf = ({ _id }: ConversationRecord): string => _id.toHexString();
  const stored = (conversation: ConversationRecord): Promise<MessageRecord[]> =>
    first.database
      .collection<MessageRecord>('messages')
      .find({ tenantId, conversationId: conversation._id })
      .sort({ seq: 1 })
      .toArray();

  describe('appending', () => {
    it('assigns 1 to 1000, each once, to the messages of 50 concurrent writers in two processes', async () => {
      const conversation = await create();
      await Promise.all(
        oneTo(50).map(async (writer) => {
          const { messages } = writer % 2 ? one : other;
          for (const n of oneTo(20))
            await messages.append(tenantId, idOf(conversation), inputs(`${writer}/${n}`));
        }),
      );
      const rows = await stored(conversation);
      expect(rows.map(({ seq }) => seq)).toEqual(oneTo(1000));
      expect(new Set(contents(rows)).size).toBe(1000);
      for (const writer of oneTo(50)) {
        const own = contents(rows).filter((content) => content.startsWith(`${writer}/`));
        expect(own).toEqual(oneTo(20).map((n) => `${writer}/${n}`));
      }
      expect(await one.conversations.get(tenantId, idOf(conversation))).toMatchObject({
        messageCount: 1000,
        lastSeq: 1000,
      });
    });

    it('stores no message when one of them cannot be stored, and releases the numbers', async () => {
      const [here, there] = [await create(), await create()];
      await one.messages.append(tenantId, idOf(there), inputs({ externalId: 'taken' }));
      const before = await one.conversations.get(tenantId, idOf(here));
      await expect(
        one.messages.append(tenantId, idOf(here), inputs('a', { externalId: 'taken' }, 'c')),
      ).rejects.toMatchObject({
        problem: {
          status: 409,
          code: 'external_id_in_use',
          extra: { externalId: 'taken', conversationId: idOf(there) },
        },
      });
      expect(await stored(here)).toEqual([]);
      expect(await one.conversations.get(tenantId, idOf(here))).toEqual(before);
      const { messages } = await one.messages.append(tenantId, idOf(here), inputs('a'));
      expect(messages[0]?.seq).toBe(1);
    });

    it('rolls the numbers back when the insert itself fails', async () => {
      const conversation = await create();
      await one.messages.append(tenantId, idOf(conversation), inputs('first'));
      const collection = first.database.collection('messages');
      // Another row already has the seq that the third message will get.
      await collection.insertOne({ tenantId, conversationId: conversation._id, seq: 4, role: 'user' });
      await expect(one.messages.append(tenantId, idOf(conversation), inputs('2', '3', '4'))).rejects.toThrow(
        /E11000/,
      );
      await collection.deleteOne({ tenantId, seq: 4 });
      expect(contents(await stored(conversation))).toEqual(['first']);
      expect(await one.conversations.get(tenantId, idOf(conversation))).toMatchObject({
        lastSeq: 1,
        messageCount: 1,
      });
    });

    it('returns the stored message for a known externalId at its position, and stores the rest', async () => {
      const conversation = await create();
      const append = (...given: Parameters<typeof inputs>) =>
        one.messages.append(tenantId, idOf(conversation), inputs(...given));
      const before = await append({ externalId: 'a', content: 'as it was' });
      const after = await append(
        'new',
        { externalId: 'a', content: 'as it was' },
        { externalId: 'b', content: 'b' },
      );
      expect(after.written).toBe(true);
      expect(contents(after.messages)).toEqual(['new', 'as it was', 'b']);
      expect(after.messages[1]).toEqual(before.messages[0]);
      expect((await stored(conversation)).map(({ seq, content }) => [seq, content])).toEqual([
        [1, 'as it was'],
        [2, 'new'],
        [3, 'b'],
      ]);
    });

    it('writes nothing at all when every message is known', async () => {
      const conversation = await create();
      const given = inputs({ externalId: 'a' }, { externalId: 'b' });
      const before = await one.messages.append(tenantId, idOf(conversation), given);
      const row = await one.conversations.get(tenantId, idOf(conversation));
      const again = await other.messages.append(tenantId, idOf(conversation), given);
      expect(again).toEqual({ messages: before.messages, written: false });
      expect(await one.conversations.get(tenantId, idOf(conversation))).toEqual(row);
    });

    it('stores a message once when 20 writers of two processes send its externalId concurrently', async () => {
      const conversation = await create();
      const results = await Promise.all(
        oneTo(20).map((writer) =>
          (writer % 2 ? one : other).messages.append(
            tenantId,
            idOf(conversation),
            inputs({ externalId: 'same', content: 'the message' }),
          ),
        ),
      );
      expect(results.filter(({ written }) => written)).toHaveLength(1);
      const ids = results.flatMap(({ messages }) => messages.map(({ _id }) => _id.toHexString()));
      expect(new Set(ids).size).toBe(1);
      expect(await stored(conversation)).toHaveLength(1);
      expect(await one.conversations.get(tenantId, idOf(conversation))).toMatchObject({
        messageCount: 1,
        lastSeq: 1,
      });
    });

    it('stores one of 20 messages that two processes send with one externalId, and refuses the others', async () => {
      const conversation = await create();
      const results = await Promise.allSettled(
        oneTo(20).map((writer) =>
          (writer % 2 ? one : other).messages.append(
            tenantId,
            idOf(conversation),
            inputs({ externalId: 'same', content: `message ${writer}` }),
          ),
        ),
      );
      const refused = results.filter(({ status }) => status === 'rejected');
      expect(refused).toHaveLength(19);
      for (const { reason } of refused as PromiseRejectedResult[])
        expect(reason).toMatchObject({ problem: { code: 'external_id_in_use' } });
      const accepted = results.findIndex(({ status }) => status === 'fulfilled');
      expect(contents(await stored(conversation))).toEqual([`message ${accepted + 1}`]);
    });

    it('keeps the externalIds of two tenants separate', async () => {
      const mine = await create();
      const theirs = await one.conversations.create(`${tenantId}-b`, {
        participantId: 'ana',
        channel: 'web',
        metadata: {},
      });
      await one.messages.append(tenantId, idOf(mine), inputs({ externalId: 'a', content: 'mine' }));
      const { written } = await one.messages.append(
        `${tenantId}-b`,
        idOf(theirs),
        inputs({ externalId: 'a', content: 'theirs' }),
      );
      expect(written).toBe(true);
    });

    it('rejects a closed conversation, an unknown one and one of another tenant', async () => {
      const conversation = await create();
      await one.conversations.update(tenantId, idOf(conversation), { isActive: false });
      await expect(one.messages.append(tenantId, idOf(conversation), inputs('a'))).rejects.toMatchObject({
        problem: { status: 409, code: 'conversation_closed' },
      });
      for (const [tenant, id] of [
        [tenantId, 'a'.repeat(24)],
        ['another', idOf(conversation)],
      ] as const)
        await expect(one.messages.append(tenant, id, inputs('a'))).rejects.toMatchObject({
          problem: { status: 404, code: 'conversation_not_found' },
        });
    });
  });

  describe('listing', () => {
    it('returns every message once across pages, whatever is appended meanwhile', async () => {
      const conversation = await create();
      await one.messages.append(tenantId, idOf(conversation), inputs(...oneTo(25).map(String)));
      const seen: MessageRecord[] = [];
      let cursor: string | undefined;
      do {
        const page = await one.messages.list(tenantId, messagesQuery.parse({ limit: 10, cursor }));
        seen.push(...page.data);
        cursor = page.nextCursor ?? undefined;
        await one.messages.append(tenantId, idOf(conversation), inputs('later'));
      } while (cursor !== undefined);
      expect(contents(seen)).toEqual(oneTo(25).map(String).reverse());
    });

    it('pages a conversation forward and backward', async () => {
      const conversation = await create();
      await one.messages.append(tenantId, idOf(conversation), inputs(...oneTo(10).map(String)));
      const seqs = async (
        query: Record<string, number | string | undefined>,
      ): Promise<[number[], string | null]> => {
        const { data, nextCursor } = await one.messages.listOfConversation(tenantId, idOf(conversation), {
          limit: 4,
          ...query,
        });
        return [data.map(({ seq }) => seq), nextCursor];
      };
      const [start, next] = await seqs({});
      expect(start).toEqual([1, 2, 3, 4]);
      const [middle, last] = await seqs({ cursor: next ?? '' });
      expect(middle).toEqual([5, 6, 7, 8]);
      expect(await seqs({ cursor: last ?? '' })).toEqual([[9, 10], null]);
      expect(await seqs({ afterSeq: 6 })).toEqual([[7, 8, 9, 10], null]);
      expect(await seqs({ afterSeq: 2, beforeSeq: 6 })).toEqual([[3, 4, 5], null]);
      const [before, older] = await seqs({ beforeSeq: 8 });
      expect(before).toEqual([4, 5, 6, 7]);
      expect(await seqs({ beforeSeq: 8, cursor: older ?? '' })).toEqual([[1, 2, 3], null]);
      await expect(seqs({ cursor: older ?? '' })).rejects.toMatchObject({
        problem: { code: 'invalid_cursor' },
      });
    });

    it('returns every conversation once across pages while each of them is written to', async () => {
      const made: string[] = [];
      for (const n of oneTo(12)) made.unshift(idOf(await create('ana', n % 2 ? 'web' : 'sms')));
      for (const query of [{}, { participantId: 'ana' }, { channel: 'web' }, { active: 'true' }]) {
        const seen: string[] = [];
        let cursor: string | undefined;
        do {
          const parsed = conversationsQuery.parse({ ...query, limit: '2', ...(cursor && { cursor }) });
          const page = await one.conversations.list(tenantId, parsed);
          seen.push(...page.data.map(idOf));
          cursor = page.nextCursor ?? undefined;
          for (const id of [made.at(-1), made[0]])
            await one.messages.append(tenantId, id ?? '', inputs('late'));
        } while (cursor !== undefined);
        expect(seen).toEqual(made.filter((_, index) => !('channel' in query) || index % 2 === 1));
      }
    });

    it('returns the most recently updated conversations first on request, in pages and with filters', async () => {
      const [old, middle, young] = [
        await create('ana', 'web'),
        await create('ben', 'sms'),
        await create('ana', 'sms'),
      ];
      await one.messages.append(tenantId, idOf(old), inputs('later'));
      await one.conversations.update(tenantId, idOf(middle), { isActive: false });
      const names = new Map(
        [old, middle, young].map((each, index) => [idOf(each), ['old', 'middle', 'young'][index]]),
      );
      const list = async (query: Record<string, string>): Promise<(string | undefined)[]> => {
        const seen: (string | undefined)[] = [];
        let cursor: string | undefined;
        do {
          const parsed = conversationsQuery.parse({
            ...query,
            order: 'updated',
            limit: '1',
            ...(cursor && { cursor }),
          });
          const page = await one.conversations.list(tenantId, parsed);
          seen.push(...page.data.map((each) => names.get(idOf(each))));
          cursor = page.nextCursor ?? undefined;
        } while (cursor !== undefined);
        return seen;
      };
      expect(await list({})).toEqual(['middle', 'old', 'young']);
      expect(await list({ participantId: 'ana' })).toEqual(['old', 'young']);
      expect(await list({ channel: 'sms' })).toEqual(['middle', 'young']);
      expect(await list({ active: 'true' })).toEqual(['old', 'young']);
    });

    it('returns the last messages even if the conversation in memory is outdated', async () => {
      const conversation = await create();
      const id = idOf(conversation);
      await one.messages.append(tenantId, id, inputs(...oneTo(30).map(String)));
      const repository = first.app.get(MessageRepository);
      const last = async (range: SeqRange, limit: number, lastSeq: number): Promise<number[]> =>
        (await repository.last(tenantId, id, range, limit, lastSeq)).map(({ seq }) => seq);
      // A counter that is current, one behind, as far behind as the read allows, further behind, and zero.
      for (const lastSeq of [30, 29, 27, 20, 3, 0]) {
        expect(await last({}, 3, lastSeq)).toEqual([28, 29, 30]);
        expect(await last({ before: 1000 }, 3, lastSeq)).toEqual([28, 29, 30]);
        expect(await last({ before: 30 }, 3, lastSeq)).toEqual([27, 28, 29]);
        expect(await last({ after: 28 }, 3, lastSeq)).toEqual([29, 30]);
        expect(await last({ before: 2 }, 3, lastSeq)).toEqual([1]);
        expect(await last({ before: 1 }, 3, lastSeq)).toEqual([]);
        expect(await last({ after: 30 }, 3, lastSeq)).toEqual([]);
      }
    });

    it('returns to concurrent reads the messages of their own conversation, and to no tenant those of another', async () => {
      const other = `${tenantId}-b`;
      const created: [string, string][] = [];
      for (const tenant of [tenantId, other])
        for (const n of oneTo(3)) {
          const conversation = await one.conversations.create(tenant, {
            participantId: 'ana',
            channel: 'web',
            metadata: {},
          });
          const said = oneTo(5 + n).map((m) => ({ content: `${tenant} ${n} ${m}`, externalId: `${n}-${m}` }));
          await one.messages.append(tenant, idOf(conversation), inputs(...said));
          created.push([tenant, idOf(conversation)]);
        }
      const repository = first.app.get(MessageRepository);
      const lasts = await Promise.all(created.map(([tenant, id]) => repository.last(tenant, id, {}, 2, 6)));
      const firsts = await Promise.all(created.map(([tenant, id]) => repository.first(tenant, id, {}, 1)));
      created.forEach(([tenant], index) => {
        const n = (index % 3) + 1;
        expect(contents(lasts[index] ?? [])).toEqual([4 + n, 5 + n].map((m) => `${tenant} ${n} ${m}`));
        expect(contents(firsts[index] ?? [])).toEqual([`${tenant} ${n} 1`]);
      });
      const [mine, theirs] = [created[0]?.[1] ?? '', created[3]?.[1] ?? ''];
      const reads = first.app.get(ConversationRepository);
      const key = externalKeyOf({ participantId: 'ana', channel: 'web' }, '1-1');
      const found = await Promise.all([
        ...[mine, theirs].flatMap((id) => [reads.find(tenantId, id), reads.find(other, id)]),
        ...[tenantId, other].map((tenant) => repository.findByExternalKey(tenant, key)),
        ...[mine, theirs].flatMap((id) => [
          repository.first(tenantId, id, {}, 1),
          repository.first(other, id, {}, 1),
        ]),
      ]);
      expect(found.flat().map((row) => row?.tenantId)).toEqual([
        ...[tenantId, undefined, undefined, other],
        ...[tenantId, other],
        ...[tenantId, other],
      ]);
    });

    it('returns filtered conversations newest first, in pages without gaps or duplicates', async () => {
      const made: string[] = [];
      for (const n of oneTo(12)) {
        const conversation = await create(n % 2 ? 'ana' : 'bob', n % 3 ? 'web' : 'sms');
        if (n % 4 === 0) await one.conversations.update(tenantId, idOf(conversation), { isActive: false });
        made.unshift(idOf(conversation));
      }
      const all = async (query: Record<string, string>): Promise<string[]> => {
        const ids: string[] = [];
        let cursor: string | undefined;
        do {
          const page = await one.conversations.list(
            tenantId,
            conversationsQuery.parse({ ...query, limit: '5', ...(cursor && { cursor }) }),
          );
          ids.push(...page.data.map(idOf));
          cursor = page.nextCursor ?? undefined;
          await create('later');
        } while (cursor !== undefined);
        return ids;
      };
      const numberOf = (id: string): number => 12 - made.indexOf(id);
      const expected = (keep: (n: number) => boolean): string[] => made.filter((id) => keep(numberOf(id)));
      const known = (ids: string[]): string[] => ids.filter((id) => made.includes(id));
      expect(known(await all({}))).toEqual(made);
      expect(await all({ participantId: 'ana' })).toEqual(expected((n) => n % 2 === 1));
      expect(known(await all({ channel: 'sms' }))).toEqual(expected((n) => n % 3 === 0));
      expect(await all({ active: 'false' })).toEqual(expected((n) => n % 4 === 0));
      expect(known(await all({ active: 'true', channel: 'web' }))).toEqual(
        expected((n) => n % 4 !== 0 && n % 3 !== 0),
      );
    });
  });

  it('reads every list through an index, in the order of the index', async () => {
    const uri = `${first.database.uri}${first.database.uri.includes('?') ? '&' : '?'}monitorCommands=true`;
    const watched = await createTestApp({ MONGODB_URI: uri });
    try {
      const { conversations, messages, eraser } = processOf(watched);
      const client = watched.app.get<Connection>(getConnectionToken()).getClient();
      const finds: mongo.Document[] = [];
      client.on('commandStarted', ({ commandName, command }) => {
        if (commandName === 'find') finds.push(command);
      });
      const conversation = await conversations.create(tenantId, {
        participantId: 'ana',
        channel: 'web',
        metadata: {},
      });
      await messages.append(tenantId, idOf(conversation), inputs('a', 'b', { externalId: 'x' }));
      const pages = async (query: Record<string, string>): Promise<void> => {
        const parsed = conversationsQuery.parse({ limit: '1', ...query });
        await conversations.list(tenantId, parsed);
        const id = idOf(conversation);
        const cursor =
          parsed.order === 'updated'
            ? dateIdCursor.encode({ date: new Date(), id })
            : idCursor.encode({ id });
        await conversations.list(tenantId, { ...parsed, cursor });
      };
      await pages({});
      const filters: Record<string, string>[] = [
        { participantId: 'ana' },
        { channel: 'web' },
        { active: 'true' },
        { active: 'false', channel: 'web' },
        { order: 'updated' },
        { order: 'updated', active: 'true' },
        { order: 'updated', channel: 'web' },
      ];
      for (const filter of filters) await pages(filter);
      const cursor = dateIdCursor.encode({ date: new Date(), id: idOf(conversation) });
      for (const query of [{}, { role: 'user' }, { since: '2026-01-01T00:00:00Z' }, { cursor }])
        await messages.list(tenantId, messagesQuery.parse(query));
      await messages.listOfConversation(tenantId, idOf(conversation), { limit: 1, afterSeq: 1 });
      await messages.listOfConversation(tenantId, idOf(conversation), { limit: 1, beforeSeq: 3 });
      await messages.append(tenantId, idOf(conversation), inputs({ externalId: 'x' }));
      await eraser.sweep(new Date(0));
      expect(finds.length).toBeGreaterThan(20);
      for (const { find, filter, sort, hint } of finds) {
        const database = first.database.collection(String(find));
        const explained = (await database
          .find(filter as mongo.Document, {
            sort: sort as mongo.Sort,
            ...(hint !== undefined && { hint: hint as mongo.Document }),
          })
          .explain()) as { queryPlanner: { winningPlan: unknown } };
        const plan = JSON.stringify(explained.queryPlanner.winningPlan);
        expect({ find, filter, plan }).toMatchObject({
          plan: expect.stringMatching(/IXSCAN|IDHACK|EXPRESS/),
        });
        expect({ find, filter, plan }).not.toMatchObject({ plan: expect.stringMatching(/"SORT"|COLLSCAN/) });
      }
    } finally {
      await watched.close();
    }
  });

  describe('patching', () => {
    it('merges the metadata of concurrent writers without losing any', async () => {
      const conversation = await create();
      await Promise.all(
        oneTo(20).map((n) =>
          (n % 2 ? one : other).conversations.update(tenantId, idOf(conversation), {
            metadata: { [`k${n}`]: n },
          }),
        ),
      );
      const { metadata } = await one.conversations.get(tenantId, idOf(conversation));
      expect(metadata).toEqual(Object.fromEntries(oneTo(20).map((n) => [`k${n}`, n])));
    });

    it('keeps keys that contain dots and dollar signs unchanged', async () => {
      const conversation = await create();
      const metadata = { 'a.b': { 'c$d.e': [1, { 'f.g': null }] }, empty: {} };
      await one.conversations.update(tenantId, idOf(conversation), { metadata });
      const stored = (await one.conversations.get(tenantId, idOf(conversation))).metadata;
      expect(stored).toEqual({ 'a.b': { 'c$d.e': [1, { 'f.g': null }] }, empty: {} });
    });

    it('rejects metadata that exceeds its limit through many small patches', async () => {
      const conversation = await create();
      const half = (key: string) => ({ metadata: { [key]: 'x'.repeat(5000) } });
      await one.conversations.update(tenantId, idOf(conversation), half('a'));
      await expect(one.conversations.update(tenantId, idOf(conversation), half('b'))).rejects.toMatchObject({
        problem: { status: 400 },
      });
    });
  });

  describe('erasing', () => {
    it('deletes a conversation with all of its 1200 messages and nothing else', async () => {
      const [gone, kept] = [await create(), await create('bob')];
      for (let n = 0; n < 12; n++)
        await one.messages.append(tenantId, idOf(gone), inputs(...oneTo(100).map((m) => `${n}/${m}`)));
      await one.messages.append(tenantId, idOf(kept), inputs('kept'));
      await one.conversations.erase(tenantId, idOf(gone));
      expect(await first.database.collection('messages').countDocuments({ tenantId })).toBe(1);
      expect(await first.database.collection('conversations').countDocuments({ tenantId })).toBe(1);
    });

    describe('interrupted after marking', () => {
      let conversation: ConversationRecord;

      beforeEach(async () => {
        conversation = await create();
        await one.messages.append(tenantId, idOf(conversation), inputs({ externalId: 'a' }, 'b'));
        await first.database
          .collection('conversations')
          .updateOne({ _id: conversation._id }, { $set: { erasedAt: new Date(Date.now() - 120_000) } });
      });

      it('hides the conversation from all reads and writes', async () => {
        const gone = { problem: { status: 404, code: 'conversation_not_found' } };
        const id = idOf(conversation);
        await expect(one.conversations.get(tenantId, id)).rejects.toMatchObject(gone);
        await expect(one.conversations.update(tenantId, id, { title: 'x' })).rejects.toMatchObject(gone);
        await expect(one.conversations.update(tenantId, id, { metadata: { a: 1 } })).rejects.toMatchObject(
          gone,
        );
        await expect(one.conversations.erase(tenantId, id)).rejects.toMatchObject(gone);
        await expect(one.messages.append(tenantId, id, inputs('c'))).rejects.toMatchObject(gone);
        await expect(one.messages.append(tenantId, id, inputs({ externalId: 'a' }))).rejects.toMatchObject(
          gone,
        );
        await expect(one.messages.listOfConversation(tenantId, id, { limit: 5 })).rejects.toMatchObject(gone);
        expect((await one.messages.list(tenantId, { limit: 5 })).data).toEqual([]);
        expect((await one.conversations.list(tenantId, { order: 'created', limit: 5 })).data).toEqual([]);
      });

      it('is finished by the sweep of any process, but only after some time', async () => {
        const rows = (): Promise<number> =>
          first.database.collection('messages').countDocuments({ tenantId });
        await other.eraser.sweep(new Date(Date.now() - 3_600_000));
        expect(await rows()).toBe(2);
        await other.eraser.scheduledSweep();
        expect(await rows()).toBe(0);
        expect(await first.database.collection('conversations').countDocuments({ tenantId })).toBe(0);
      });

      it('leaves nothing behind when four sweeps finish it concurrently', async () => {
        const rows = oneTo(4000).map((n) => ({ tenantId, conversationId: conversation._id, seq: 2 + n }));
        await first.database.collection('messages').insertMany(rows);
        const finishers = [one, other, one, other];
        await Promise.all(finishers.map(({ eraser }) => eraser.finish(tenantId, conversation._id)));
        expect(await first.database.collection('messages').countDocuments({ tenantId })).toBe(0);
        expect(await first.database.collection('conversations').countDocuments({ tenantId })).toBe(0);
      });

      it('releases its externalIds for other conversations', async () => {
        const next = await create();
        const { written } = await one.messages.append(
          tenantId,
          idOf(next),
          inputs({ externalId: 'a', content: 'anew' }),
        );
        expect(written).toBe(true);
        expect(contents(await stored(next))).toEqual(['anew']);
        expect(await stored(conversation)).toEqual([]);
      });
    });
  });
});
