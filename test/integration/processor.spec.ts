import { getConnectionToken } from '@nestjs/mongoose';
import type { Connection } from 'mongoose';
import type { ConversationRecord } from '../../src/conversation/conversation.schema.js';
import { ConversationService } from '../../src/conversation/conversation.service.js';
import { MessageProcessor, type ProcessedMessage } from '../../src/conversation/index.js';
import {
  appendMessagesBody,
  type InboundMessageBody,
  inboundMessageBody,
} from '../../src/conversation/message.dto.js';
import type { MessageRecord } from '../../src/conversation/message.schema.js';
import { MessageService } from '../../src/conversation/message.service.js';
import { ProblemError } from '../../src/http/index.js';
import { ResponderError } from '../../src/responder/index.js';
import { ConversationStateManager, SessionConflictError, SessionService } from '../../src/session/index.js';
import { allFeatures } from '../../src/tenant/index.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { createScriptedApp, type Script, type ScriptedApp } from '../support/scripted-app.js';

const oneTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

/** A promise that the test resolves. */
function gate(): { open: () => void; opened: Promise<void> } {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { open, opened };
}

describe('MessageProcessor', () => {
  let database: TestDatabase;
  let first: ScriptedApp;
  let second: ScriptedApp;
  let tenantId: string;
  let count = 0;

  beforeAll(async () => {
    database = createTestDatabase();
    first = await createScriptedApp(database);
    // A second process on the same database. The two share only the stored data.
    second = await createScriptedApp(database, { MESSAGE_PROCESSOR_TIMEOUT: '50' });
  });
  afterAll(async () => {
    await second.close();
    await first.close();
    await database.drop();
  });
  beforeEach(async () => {
    tenantId = `tenant-${++count}`;
    for (const { responder } of [first, second]) {
      responder.calls = 0;
      responder.isImmediate = true;
      responder.script = ({ message }) => Promise.resolve({ reply: { content: `re: ${message.content}` } });
    }
    await first.choose(tenantId);
  });

  const process = (
    content: string,
    more: Partial<InboundMessageBody> = {},
    { app }: ScriptedApp = first,
  ): Promise<ProcessedMessage> =>
    app
      .get(MessageProcessor)
      .process(
        { tenantId, name: tenantId, plan: 'free', features: allFeatures },
        inboundMessageBody.parse({ participantId: 'ana', channel: 'web', content, ...more }),
      );
  const problemOf = async (outcome: Promise<unknown>): Promise<ProblemError['problem']> =>
    outcome.then(
      () => {
        throw new Error('it did not fail');
      },
      (error: unknown) => {
        if (error instanceof ProblemError) return error.problem;
        throw error;
      },
    );
  const rows = (): Promise<MessageRecord[]> =>
    database
      .collection<MessageRecord>('messages')
      .find({ tenantId })
      .sort({ conversationId: 1, seq: 1 })
      .toArray();
  const dialogue = async (): Promise<string[]> =>
    (await rows()).map(({ seq, role, content }) => `${seq} ${role}: ${content}`);
  const conversations = (): Promise<ConversationRecord[]> =>
    database.collection<ConversationRecord>('conversations').find({ tenantId }).sort({ _id: 1 }).toArray();
  const sessionOf = ({ app }: ScriptedApp, participantId = 'ana') =>
    app.get(SessionService).read(tenantId, participantId);

  it('stores message, reply, counters and session together', async () => {
    first.responder.script = ({ session }) =>
      Promise.resolve({
        reply: { content: 'hello', metadata: { mood: 'good' } },
        activeGoals: [{ id: 'g', type: 'greet', status: 'active', slots: { n: 1 } }],
        context: { ...session.context, seen: true },
      });
    const { conversation, message, reply, session, written } = await process('hi', { externalId: 'x' });
    expect(written).toBe(true);
    expect(await dialogue()).toEqual(['1 user: hi', '2 assistant: hello']);
    expect(reply).toMatchObject({ replyTo: message._id, metadata: { mood: 'good' } });
    expect((await conversations())[0]).toMatchObject({
      _id: conversation._id,
      participantId: 'ana',
      channel: 'web',
      isActive: true,
      messageCount: 2,
      lastSeq: 2,
    });
    expect((await conversations())[0]?.sessionId?.toHexString()).toBe(session.id);
    expect(session).toMatchObject({
      version: 1,
      conversationId: conversation._id.toHexString(),
      context: { seen: true },
    });
    expect((await sessionOf(second)).activeGoals).toEqual([
      { id: 'g', type: 'greet', status: 'active', slots: { n: 1 } },
    ]);
  });

  it('continues the conversation and session of the previous message, in either process', async () => {
    first.responder.script = second.responder.script = ({ session }) => {
      const n = Number(session.context['n'] ?? 0) + 1;
      return Promise.resolve({ reply: { content: String(n) }, context: { n } });
    };
    for (const n of oneTo(6)) await process(`m${n}`, {}, n % 2 ? first : second);
    expect(await conversations()).toHaveLength(1);
    expect((await dialogue()).filter((line) => line.includes('assistant'))).toEqual(
      oneTo(6).map((n) => `${2 * n} assistant: ${n}`),
    );
    expect((await sessionOf(first)).version).toBe(6);
  });

  it('opens a conversation for each channel and continues each', async () => {
    await process('1', { channel: 'web' });
    await process('2', { channel: 'sms' });
    await process('3', { channel: 'web' });
    await process('4', { channel: 'sms' });
    expect((await conversations()).map(({ channel, messageCount }) => [channel, messageCount])).toEqual([
      ['web', 4],
      ['sms', 4],
    ]);
  });

  it('continues an active conversation that was created through the API', async () => {
    const service = first.app.get(ConversationService);
    const opened = await service.create(tenantId, { participantId: 'ana', channel: 'web', metadata: {} });
    expect((await process('hi')).conversation._id).toEqual(opened._id);
  });

  it('opens a new conversation after the last one was closed or erased', async () => {
    const service = first.app.get(ConversationService);
    const one = (await process('1')).conversation._id.toHexString();
    await service.update(tenantId, one, { isActive: false });
    const two = (await process('2')).conversation._id.toHexString();
    expect(two).not.toBe(one);
    await service.erase(tenantId, two);
    const three = (await process('3')).conversation._id.toHexString();
    expect([one, two]).not.toContain(three);
    expect((await conversations()).map(({ messageCount }) => messageCount)).toEqual([2, 2]);
  });

  it('calls the responder with the conversation in which the exchange is stored, not with a closed one', async () => {
    const one = (await process('1')).conversation._id.toHexString();
    await first.app.get(ConversationService).update(tenantId, one, { isActive: false });
    const told: [string | null, number][] = [];
    first.responder.script = async ({ conversation, history }) => {
      told.push([conversation.id, (await history(10)).length]);
      return { reply: { content: 'ok' } };
    };
    await process('2');
    expect(told.at(-1)).toEqual([null, 0]);
    await process('3');
    const [, two] = await conversations();
    expect(told.at(-1)).toEqual([two?._id.toHexString(), 2]);
  });

  it('processes the messages of one participant sequentially in a process', async () => {
    let running = 0;
    let most = 0;
    first.responder.script = async ({ session }) => {
      most = Math.max(most, ++running);
      await Promise.resolve();
      running--;
      const n = Number(session.context['n'] ?? 0) + 1;
      return { reply: { content: String(n) }, context: { n } };
    };
    await Promise.all(oneTo(20).map((n) => process(`m${n}`)));
    expect(most).toBe(1);
    expect((await sessionOf(first)).context).toEqual({ n: 20 });
    expect((await rows()).map(({ seq }) => seq)).toEqual(oneTo(40));
    expect(first.responder.calls).toBe(20);
  });

  it('passes the earlier messages to the responder', async () => {
    const seen: string[][] = [];
    first.responder.script = async ({ history, message }) => {
      seen.push((await history(3)).map(({ role, content }) => `${role}: ${content}`));
      return { reply: { content: `re: ${message.content}` } };
    };
    for (const content of ['a', 'b', 'c']) await process(content);
    expect(seen).toEqual([
      [],
      ['user: a', 'assistant: re: a'],
      ['assistant: re: a', 'user: b', 'assistant: re: b'],
    ]);
  });

  it('stores only the user message when there is no reply, and records that it was processed', async () => {
    first.responder.script = () => Promise.resolve({ reply: null });
    const { reply } = await process('hi', { externalId: 'x' });
    expect(reply).toBeNull();
    const again = await process('hi', { externalId: 'x' });
    expect(again).toMatchObject({ reply: null, written: false });
    expect(first.responder.calls).toBe(1);
    expect(await dialogue()).toEqual(['1 user: hi']);
  });

  it('uses no read and one transaction of three writes when the session is warm', async () => {
    const uri = `${database.uri}${database.uri.includes('?') ? '&' : '?'}monitorCommands=true`;
    const watched = await createScriptedApp({ ...database, uri });
    watched.responder.isImmediate = true;
    try {
      await process('1', {}, watched);
      const stored = new Set<unknown>(['conversations', 'messages', 'sessions']);
      const commands: string[] = [];
      watched.app
        .get<Connection>(getConnectionToken())
        .getClient()
        .on('commandStarted', ({ commandName, command }) => {
          // Other commands are the heartbeats of the process, and explains of slow commands.
          if (commandName === 'commitTransaction' || stored.has(command[commandName]))
            commands.push(commandName);
        });
      await process('2', {}, watched);
      expect(commands).toEqual(['update', 'update', 'insert', 'commitTransaction']);
      commands.length = 0;
      await process('3', { externalId: 'x' }, watched);
      expect(commands).toEqual(['find', 'update', 'update', 'insert', 'commitTransaction']);
    } finally {
      await watched.close();
    }
  });

  describe('a slow responder', () => {
    beforeEach(() => {
      first.responder.isImmediate = second.responder.isImmediate = false;
    });

    it('is called after the user message is stored, which keeps its position and date before messages that arrive meanwhile', async () => {
      const { conversation } = await process('one');
      const [reached, go] = [gate(), gate()];
      first.responder.script = async () => {
        reached.open();
        await go.opened;
        return { reply: { content: 'slow' } };
      };
      const two = process('two');
      await reached.opened;
      const { messages } = appendMessagesBody.parse({
        messages: [{ role: 'assistant', content: 'a person steps in' }],
      });
      await first.app.get(MessageService).append(tenantId, conversation._id.toHexString(), messages);
      go.open();
      await two;
      expect((await dialogue()).slice(2)).toEqual([
        '3 user: two',
        '4 assistant: a person steps in',
        '5 assistant: slow',
      ]);
      const dates = (await rows()).map(({ timestamp }) => timestamp.getTime());
      expect(dates).toEqual(dates.toSorted((a, b) => a - b));
    });

    it('receives the same message id from two processes that get one message concurrently', async () => {
      const ids: string[] = [];
      const both = gate();
      first.responder.script = second.responder.script = async ({ message }) => {
        if (ids.push(message.id) === 2) both.open();
        await both.opened;
        return { reply: { content: 'paid' } };
      };
      second.responder.script = first.responder.script;
      const handled = await Promise.all([
        process('pay', { externalId: 'x' }, first),
        process('pay', { externalId: 'x' }, second).catch((error: unknown) => error),
      ]);
      expect(handled[0].reply?.content).toBe('paid');
      expect(new Set(ids).size).toBe(1);
      expect(await dialogue()).toEqual(['1 user: pay', '2 assistant: paid']);
    });
  });

  describe('a repeated externalId', () => {
    it('returns the stored exchange and writes nothing', async () => {
      const before = await process('hi', { externalId: 'x' });
      const state = await Promise.all([rows(), conversations(), sessionOf(first)]);
      for (const app of [first, second]) {
        const again = await process('hi', { externalId: 'x' }, app);
        expect(again.written).toBe(false);
        expect(again.message._id).toEqual(before.message._id);
        expect(again.message.content).toBe('hi');
        expect(again.reply?._id).toEqual(before.reply?._id);
        expect(again.session.version).toBe(1);
      }
      expect(await Promise.all([rows(), conversations(), sessionOf(first)])).toEqual(state);
      expect(first.responder.calls + second.responder.calls).toBe(1);
    });

    it('is stored and answered once when 20 requests to two processes send it concurrently', async () => {
      const results = await Promise.all(
        oneTo(20).map((n) => process('hi', { externalId: 'x' }, n % 2 ? first : second)),
      );
      expect(results.filter(({ written }) => written)).toHaveLength(1);
      expect(new Set(results.map(({ reply }) => reply?._id.toHexString())).size).toBe(1);
      expect(await dialogue()).toEqual(['1 user: hi', '2 assistant: re: hi']);
      expect((await conversations())[0]).toMatchObject({ messageCount: 2, lastSeq: 2 });
      expect((await sessionOf(first)).version).toBe(1);
    });

    it('is another message for another participant or channel', async () => {
      await process('hi', { externalId: 'x' });
      expect((await process('hi', { externalId: 'x', participantId: 'bob' })).written).toBe(true);
      expect((await process('hi', { externalId: 'x', channel: 'sms' })).written).toBe(true);
      expect((await process('hi', { externalId: 'x' })).written).toBe(false);
    });

    it('is rejected if the message with it is not from a user', async () => {
      const { conversation } = await process('hi');
      const id = conversation._id.toHexString();
      await first.app
        .get(MessageService)
        .append(tenantId, id, [
          { role: 'assistant', content: 'hello', externalId: 'x', attachments: [], metadata: {} },
        ]);
      expect(await problemOf(process('hi', { externalId: 'x' }))).toMatchObject({
        status: 409,
        code: 'external_id_in_use',
        extra: { externalId: 'x', conversationId: id, messageId: expect.any(String) },
      });
    });

    it('can be used by another tenant, and again after its conversation was erased', async () => {
      const { conversation } = await process('hi', { externalId: 'x' });
      await database
        .collection('conversations')
        .updateOne({ _id: conversation._id }, { $set: { erasedAt: new Date() } });
      const again = await process('anew', { externalId: 'x' });
      expect(again.written).toBe(true);
      expect(await dialogue()).toEqual(['1 user: anew', '2 assistant: re: anew']);
    });
  });

  describe('a responder that fails', () => {
    const failing = (): Promise<never> => Promise.reject(new ResponderError('The oven is cold.'));

    it('leaves the user message stored, and reports that', async () => {
      first.responder.script = failing;
      const problem = await problemOf(process('hi', { externalId: 'x' }));
      const [message] = await rows();
      expect(problem).toMatchObject({
        status: 502,
        code: 'responder_failed',
        extra: {
          messageStored: true,
          conversationId: message?.conversationId.toHexString(),
          messageId: message?._id.toHexString(),
        },
      });
      expect(problem.detail).toMatch(/^The oven is cold\. .*the same externalId/);
      expect(await dialogue()).toEqual(['1 user: hi']);
      expect((await conversations())[0]).toMatchObject({ messageCount: 1, lastSeq: 1 });
    });

    it('is called again for a repeated externalId, and only the reply is stored', async () => {
      first.responder.script = failing;
      await problemOf(process('hi', { externalId: 'x' }));
      await problemOf(process('hi', { externalId: 'x' }));
      const asked: unknown[] = [];
      first.responder.script = async ({ message, conversation, history }) => {
        asked.push(message.id, conversation.id, await history(10));
        return { reply: { content: 'here' }, context: { done: true } };
      };
      const completed = await process('hi', { externalId: 'x' });
      expect(completed.written).toBe(true);
      expect(await dialogue()).toEqual(['1 user: hi', '2 assistant: here']);
      const [message, reply] = await rows();
      expect(reply?.replyTo).toEqual(message?._id);
      expect(asked).toEqual([message?._id.toHexString(), message?.conversationId.toHexString(), []]);
      expect(completed.session.context).toEqual({ done: true });
      expect((await conversations())[0]).toMatchObject({ messageCount: 2, lastSeq: 2 });
      expect((await process('hi', { externalId: 'x' })).written).toBe(false);
    });

    it('is completed once when two processes repeat the message concurrently', async () => {
      first.responder.script = failing;
      await problemOf(process('hi', { externalId: 'x' }));
      first.responder.script = second.responder.script = () =>
        Promise.resolve({ reply: { content: 'here' } });
      const results = await Promise.all(
        oneTo(10).map((n) => process('hi', { externalId: 'x' }, n % 2 ? first : second)),
      );
      expect(results.filter(({ written }) => written)).toHaveLength(1);
      expect(await dialogue()).toEqual(['1 user: hi', '2 assistant: here']);
    });

    it('leaves the conversation usable for the next message', async () => {
      first.responder.script = failing;
      await problemOf(process('one'));
      await problemOf(process('two'));
      first.responder.script = () => Promise.resolve({ reply: { content: 'here' } });
      await process('three');
      expect(await dialogue()).toEqual(['1 user: one', '2 user: two', '3 user: three', '4 assistant: here']);
    });

    it('reveals nothing about an unexpected error', async () => {
      first.responder.script = () => Promise.reject(new Error('the password is hunter2'));
      const problem = await problemOf(process('hi'));
      expect(problem.detail).toMatch(
        /^The responder failed\. .*without an externalId, a repeated request creates a new message/,
      );
      expect(JSON.stringify(problem)).not.toContain('hunter2');
    });

    it('includes one that returns a state beyond the limits', async () => {
      first.responder.script = ({ session }) =>
        Promise.resolve({
          reply: { content: 'big' },
          context: { ...session.context, [`k${Object.keys(session.context).length}`]: 'x'.repeat(200_000) },
          activeGoals: [{ id: 'g', type: 'big', status: 'active', slots: { x: 'x'.repeat(100_000) } }],
        });
      const problem = await problemOf(process('hi'));
      expect(problem).toMatchObject({ status: 502, code: 'responder_failed' });
      expect(await dialogue()).toEqual(['1 user: hi']);
    });

    it('includes one that returns keys that the driver reserves for its own classes', async () => {
      first.responder.script = () =>
        Promise.resolve({ reply: { content: 'x' }, context: { trap: { _bsontype: 'Long', low: 1 } } });
      expect(await problemOf(process('hi'))).toMatchObject({ status: 502, code: 'responder_failed' });
      expect(await dialogue()).toEqual(['1 user: hi']);
    });

    it('replies to a user message appended through the API, on a request with its externalId', async () => {
      const { conversation } = await process('hi');
      const {
        messages: [input],
      } = appendMessagesBody.parse({
        messages: [{ role: 'user', content: 'appended', externalId: 'x' }],
      });
      if (!input) throw new Error('no input');
      await first.app.get(MessageService).append(tenantId, conversation._id.toHexString(), [input]);
      const { reply } = await process('appended', { externalId: 'x' });
      expect(reply).toMatchObject({ content: 're: appended', seq: 4 });
      expect(await dialogue()).toHaveLength(4);
    });
  });

  describe('a responder that takes too long', () => {
    it('is aborted; the user message is stored, and the late reply is discarded', async () => {
      const late = gate();
      let aborted = false;
      second.responder.isImmediate = false;
      second.responder.script = async (_request, signal) => {
        signal.addEventListener('abort', () => (aborted = true));
        await late.opened;
        return { reply: { content: 'too late' } };
      };
      const problem = await problemOf(process('hi', { externalId: 'x' }, second));
      expect(problem).toMatchObject({
        status: 504,
        code: 'responder_timeout',
        extra: { messageStored: true },
      });
      expect(problem.detail).toMatch(/^No reply was received within 50 ms\./);
      expect(aborted).toBe(true);
      late.open();
      const { reply } = await process('hi', { externalId: 'x' });
      expect(reply?.content).toBe('re: hi');
      expect(await dialogue()).toEqual(['1 user: hi', '2 assistant: re: hi']);
    });
  });

  describe('a session changed by another process', () => {
    it('is detected by the write, and the message is processed again with the current state', async () => {
      const counting: Script = ({ session }) => {
        const n = Number(session.context['n'] ?? 0) + 1;
        return Promise.resolve({ reply: { content: String(n) }, context: { n } });
      };
      first.responder.script = second.responder.script = counting;
      await process('1', {}, first);
      await process('2', {}, second);
      // The first process still has version 1 in memory.
      const seen: unknown[] = [];
      first.responder.script = (request, signal) => {
        seen.push(request.session.context['n']);
        return counting(request, signal);
      };
      await process('3', {}, first);
      expect(seen).toEqual([1, 2]);
      expect((await sessionOf(first)).context).toEqual({ n: 3 });
      expect(await dialogue()).toHaveLength(6);
    });

    it('causes a second call if it changed during the responder call, and nothing is stored twice', async () => {
      await process('1', {}, first);
      const [reached, go] = [gate(), gate()];
      let calls = 0;
      first.responder.script = async ({ message, session }) => {
        if (++calls === 1) {
          reached.open();
          await go.opened;
        }
        return { reply: { content: `${message.content} on ${String(session.context['by'])}` } };
      };
      const slow = process('slow', {}, first);
      await reached.opened;
      second.responder.script = () =>
        Promise.resolve({ reply: { content: 'quick' }, context: { by: 'second' } });
      await process('fast', {}, second);
      go.open();
      expect((await slow).reply?.content).toBe('slow on second');
      expect(calls).toBe(2);
      expect((await dialogue()).slice(2)).toEqual([
        '3 user: fast',
        '4 assistant: quick',
        '5 user: slow',
        '6 assistant: slow on second',
      ]);
    });

    it('loses no update of 40 messages from two processes', async () => {
      first.responder.script = second.responder.script = ({ session }) =>
        Promise.resolve({ reply: { content: 'ok' }, context: { n: Number(session.context['n'] ?? 0) + 1 } });
      const send = async (n: number): Promise<void> => {
        for (;;) {
          try {
            await process(`m${n}`, { externalId: `m${n}` }, n % 2 ? first : second);
            return;
          } catch (error) {
            if (!(error instanceof SessionConflictError)) throw error;
          }
        }
      };
      await Promise.all(oneTo(40).map(send));
      expect((await sessionOf(first)).context).toEqual({ n: 40 });
      expect(await conversations()).toHaveLength(1);
      expect((await rows()).map(({ seq }) => seq)).toEqual(oneTo(80));
      expect((await conversations())[0]).toMatchObject({ messageCount: 80, lastSeq: 80 });
    });

    it('opens one conversation when the first messages reach two processes concurrently', async () => {
      const [reached, go] = [gate(), gate()];
      first.responder.script = async ({ message }) => {
        reached.open();
        await go.opened;
        return { reply: { content: `re: ${message.content}` } };
      };
      const slow = process('one', {}, first);
      await reached.opened;
      await process('two', {}, second);
      go.open();
      await slow;
      expect(await conversations()).toHaveLength(1);
      expect((await rows()).map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
    });
  });

  it('finds goals again after the session was evicted from memory', async () => {
    first.responder.script = () =>
      Promise.resolve({
        reply: { content: 'ok' },
        activeGoals: [{ id: 'g', type: 'a', status: 'active', slots: {} }],
      });
    await process('1');
    first.app.get(ConversationStateManager).drop(tenantId, 'ana');
    let goals: unknown;
    first.responder.script = ({ session }) => {
      goals = session.activeGoals;
      return Promise.resolve({ reply: { content: 'ok' } });
    };
    await process('2');
    expect(goals).toEqual([{ id: 'g', type: 'a', status: 'active', slots: {} }]);
  });
});
