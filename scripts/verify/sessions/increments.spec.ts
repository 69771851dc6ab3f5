import { messageProblems } from './increments.js';
import type { CountedMessage } from './shapes.js';

const exchange = (number: number): CountedMessage[] => [
  { seq: 2 * number - 1, role: 'user', externalId: `m${number}` },
  { seq: 2 * number, role: 'assistant' },
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
      'message number 4 is of the role user',
    ]);
  });

  it('finds a message that was handled twice', () => {
    const messages = [
      ...conversation(),
      { seq: 7, role: 'user', externalId: 'm3' },
      { seq: 8, role: 'assistant' },
    ];
    expect(messageProblems(messages, 3)).toEqual(['8 messages are stored instead of 6']);
  });

  it('finds that one externalId stands for two messages', () => {
    const messages = conversation().map((message) => ({
      ...message,
      ...(message.externalId && { externalId: 'm1' }),
    }));
    expect(messageProblems(messages, 3)).toEqual(['1 different externalIds are stored instead of 3']);
  });
});
