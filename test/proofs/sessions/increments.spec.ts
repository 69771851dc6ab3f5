import { messageProblems } from './increments.js';
import type { CountedMessage } from './shapes.js';

const exchange = (number: number): CountedMessage[] => [
  { seq: 2 * number - 1, id: `u${number}`, role: 'user', externalId: `m${number}`, replyTo: null },
  { seq: 2 * number, id: `a${number}`, role: 'assistant', replyTo: `u${number}` },
];

const conversation = (): CountedMessage[] => [1, 2, 3].flatMap(exchange);

describe('messageProblems', () => {
  it('reports nothing for a conversation of user messages and replies without a gap', () => {
    expect(messageProblems(conversation(), 3)).toEqual([]);
  });

  it('reports a missing message and the resulting gap', () => {
    const messages = conversation().filter(({ seq }) => seq !== 4);
    expect(messageProblems(messages, 3)).toEqual([
      '5 messages are stored instead of 6',
      'message number 4 has seq 5',
      '1 messages have no reply',
    ]);
  });

  it('reports nothing when a user message was stored before the reply to the previous one', () => {
    const [question, reply, next, ...others] = conversation();
    if (!question || !reply || !next) throw new Error('there are three exchanges');
    const messages = [question, { ...next, seq: 2 }, { ...reply, seq: 3 }, ...others];
    expect(messageProblems(messages, 3)).toEqual([]);
  });

  it('reports a message with two replies', () => {
    const messages = conversation().map((message) =>
      message.id === 'a2' ? { ...message, replyTo: 'u1' } : message,
    );
    expect(messageProblems(messages, 3)).toEqual([
      'message number 4 is not the first reply to an earlier message',
      '1 messages have no reply',
    ]);
  });

  it('reports a message that was processed twice', () => {
    const messages = [
      ...conversation(),
      { seq: 7, id: 'u4', role: 'user', externalId: 'm3', replyTo: null },
      { seq: 8, id: 'a4', role: 'assistant', replyTo: 'u4' },
    ];
    expect(messageProblems(messages, 3)).toEqual(['8 messages are stored instead of 6']);
  });

  it('reports one externalId used by two messages', () => {
    const messages = conversation().map((message) => ({
      ...message,
      ...(message.externalId && { externalId: 'm1' }),
    }));
    expect(messageProblems(messages, 3)).toEqual(['1 different externalIds are stored instead of 3']);
  });
});
