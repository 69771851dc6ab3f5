import { Types } from 'mongoose';
import { pino } from 'pino';
import { notFound } from '../http/index.js';
import { ConversationEraser } from './conversation-eraser.js';
import type { ConversationWriter } from './conversation-writer.js';
import type { ConversationRepository } from './conversation.repository.js';
import type { DerivedData } from './derived-data.js';
import type { MessageRepository } from './message.repository.js';

const id = new Types.ObjectId();

function setUp(batches: number) {
  const calls: string[] = [];
  let left = batches;
  const conversations = {
    deleteErased: jest.fn(() => Promise.resolve(void calls.push('conversation'))),
    unfinishedErasures: jest.fn(() => Promise.resolve([{ tenantId: 't', conversationId: id }])),
    findEvenErased: jest.fn<Promise<object | null>, []>(() => Promise.resolve({ erasedAt: new Date() })),
  };
  const messages = {
    deleteFirst: jest.fn(() => {
      calls.push('messages');
      return Promise.resolve(left-- > 0);
    }),
  };
  const writer = {
    markErased: jest.fn(() => Promise.resolve(void calls.push('mark'))),
    forget: jest.fn(),
  };
  const derived = { erase: jest.fn(() => Promise.resolve(void calls.push('derived'))) };
  const eraser = new ConversationEraser(
    conversations as unknown as ConversationRepository,
    writer as unknown as ConversationWriter,
    messages as unknown as MessageRepository,
    derived as unknown as DerivedData,
    pino({ level: 'silent' }),
  );
  return { eraser, conversations, writer, messages, calls };
}

describe('ConversationEraser', () => {
  it('marks the conversation, then deletes what was derived, the messages in batches, and itself last', async () => {
    const { eraser, calls } = setUp(2);
    await eraser.erase('t', id.toHexString());
    expect(calls).toEqual(['mark', 'derived', 'messages', 'messages', 'messages', 'conversation']);
  });

  it('throws 404 and deletes nothing if the conversation does not exist', async () => {
    const { eraser, writer, calls } = setUp(1);
    writer.markErased.mockRejectedValue(notFound('conversation', id.toHexString()));
    await expect(eraser.erase('t', id.toHexString())).rejects.toMatchObject({
      problem: { status: 404, code: 'conversation_not_found' },
    });
    expect(calls).toEqual([]);
  });

  it('stops between two batches at shutdown and keeps the conversation for the next sweep', async () => {
    const { eraser, messages, conversations } = setUp(1000);
    const erasing = eraser.erase('t', id.toHexString());
    await eraser.beforeApplicationShutdown();
    await erasing;
    expect(messages.deleteFirst.mock.calls.length).toBeLessThan(5);
    expect(conversations.deleteErased).not.toHaveBeenCalled();
  });

  it('runs one sweep at a time', async () => {
    const { eraser, conversations } = setUp(1);
    const [first, second] = await Promise.all([eraser.sweep(new Date()), eraser.sweep(new Date())]);
    expect([first, second]).toEqual([1, 1]);
    expect(conversations.unfinishedErasures).toHaveBeenCalledTimes(1);
    await eraser.sweep(new Date());
    expect(conversations.unfinishedErasures).toHaveBeenCalledTimes(2);
  });

  it('survives a scheduled sweep that fails', async () => {
    const { eraser, conversations } = setUp(1);
    conversations.unfinishedErasures.mockRejectedValueOnce(new Error('database unavailable'));
    await expect(eraser.scheduledSweep()).resolves.toBeUndefined();
  });

  it('deletes the rest only of a conversation that is marked as erased', async () => {
    const { eraser, conversations, calls } = setUp(0);
    conversations.findEvenErased.mockResolvedValueOnce({ erasedAt: undefined });
    expect(await eraser.finishIfErased('t', id)).toBe(false);
    expect(calls).toEqual([]);
    conversations.findEvenErased.mockResolvedValueOnce({ erasedAt: new Date() });
    expect(await eraser.finishIfErased('t', id)).toBe(true);
    expect(calls).toEqual(['derived', 'messages', 'conversation']);
  });
});
