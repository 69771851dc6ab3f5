import { messageProblems } from './increments.js';
import type { CountedMessage } from './shapes.js';

const exchange = (number: number): CountedMessage[] => [
  { id: `u${number}`, seq: 2 * number - 1, role: 'user', externalId: `m${number}` },
  { id: `a${number}`, seq: 2 * number, role: 'assistant', replyTo: `u${number}` },
];

const conversation = (): CountedMessage[] => [1, 2, 3].flatMap(exchange);

describe('messageProblems', () => {
  it('finds nothing in a conversation of user messages and replies without a gap', () => {
    expect(messageProblems(conversation(), 3)).toEqual([]);
  });

  it('finds a message that is missing, with the gap it leaves', () => {
    const messages = conversation().filter(({ seq }) => seq !== 4);
    expect(messageProblems(messages, 3)).toEqual([
      '5 messages are stored instead of 6',
      'message number 4 has seq 5',
      'm2 has 0 replies',
    ]);
  });

  it('finds a message that was handled twice', () => {
    const messages = [
      ...conversation(),
      { id: 'u4', seq: 7, role: 'user', externalId: 'm3' },
      { id: 'a4', seq: 8, role: 'assistant', replyTo: 'u4' },
    ];
    expect(messageProblems(messages, 3)).toEqual(['8 messages are stored instead of 6']);
  });

  it('accepts a message that arrived before the reply to another', () => {
    const [first, reply, second, ...rest] = conversation();
    if (!first || !reply || !second) throw new Error('too few messages');
    expect(messageProblems([first, { ...second, seq: 2 }, { ...reply, seq: 3 }, ...rest], 3)).toEqual([]);
  });

  it('finds a reply before its message, and a message with two replies', () => {
    const [first, reply, second, other, ...rest] = conversation();
    if (!first || !reply || !second || !other) throw new Error('too few messages');
    const swapped = [{ ...reply, seq: 1 }, { ...first, seq: 2 }, second, other, ...rest];
    expect(messageProblems(swapped, 3)).toEqual(['the reply to m1 comes before it']);
    const twice = [first, reply, second, { ...other, replyTo: 'u1' }, ...rest];
    expect(messageProblems(twice, 3)).toEqual(['m1 has 2 replies', 'm2 has 0 replies']);
  });

  it('finds that one externalId stands for two messages', () => {
    const messages = conversation().map((message) => ({
      ...message,
      ...(message.externalId && { externalId: 'm1' }),
    }));
    expect(messageProblems(messages, 3)).toEqual(['1 different externalIds are stored instead of 3']);
  });
});
