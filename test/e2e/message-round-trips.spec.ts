import { resolve } from 'node:path';
import { brokenPromises, type DialoguesResult, runDialogues } from '../support/dialogues/run.js';

/** `npm test` builds what runs here. */
const dist = resolve(process.env['COLLOQUY_TEST_DIST'] ?? 'dist');

const turns = ['Hello', 'A table for two, please', 'Tomorrow', 'At eight', 'In Lisbon', 'Thank you'];

describe('what a message costs the database', () => {
  let result: DialoguesResult;

  beforeAll(async () => {
    result = await runDialogues({
      dialogues: [1, 2, 3].map((line) => ({
        id: `d${line}`,
        line,
        services: [],
        turns: turns.map((content) => ({ role: 'user', content })),
      })),
      // Reads of messages that are handled at the same moment share a query.
      clients: 1,
      redis: false,
      externalIds: false,
      storeChild: resolve(dist, 'test', 'proofs', 'store', 'store-child.js'),
    });
  });

  it('is no read of a session once it is warm, and never more than one transaction', () => {
    expect(brokenPromises(result)).toEqual([]);
    expect(result.warm.map(({ messages }) => messages)).toEqual([6, 6]);
    expect(result.warm.map((group) => group.readsOf('conversations', 'messages'))).toEqual([0, 0]);
  });

  it('is one transaction with a write each of conversation, session and messages', () => {
    for (const { messages, commits, writes } of result.warm)
      expect({ commits, writes }).toEqual({ commits: messages, writes: 3 * messages });
  });

  it('is counted completely: a process that does not know the session reads it once', () => {
    expect(result.cold.messages).toBe(3);
    expect(result.cold.readsOf('sessions')).toBe(3);
    expect(result.outside.reads).toBe(0);
  });
});
