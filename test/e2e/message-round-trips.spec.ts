import { resolve } from 'node:path';
import { brokenPromises, type DialoguesResult, runDialogues } from '../support/dialogues/run.js';

/** The store runs from the build in `dist`, which `npm test` creates first. */
const dist = resolve(process.env['COLLOQUY_TEST_DIST'] ?? 'dist');

const turns = ['Hello', 'A table for two, please', 'Tomorrow', 'At eight', 'In Lisbon', 'Thank you'];

describe('the database commands of a message', () => {
  let result: DialoguesResult;

  beforeAll(async () => {
    result = await runDialogues({
      dialogues: [1, 2, 3].map((line) => ({
        id: `d${line}`,
        line,
        services: [],
        turns: turns.map((content) => ({ role: 'user', content })),
      })),
      // Messages that are processed concurrently share queries.
      clients: 1,
      redis: false,
      externalIds: false,
      storeChild: resolve(dist, 'test', 'proofs', 'store', 'store-child.js'),
    });
  });

  it('read no session once it is warm, and never use more than one transaction', () => {
    expect(brokenPromises(result)).toEqual([]);
    expect(result.warm.map(({ messages }) => messages)).toEqual([6, 6]);
    expect(result.warm.map((group) => group.readsOf('conversations', 'messages'))).toEqual([0, 0]);
  });

  it('use one transaction with one write each to conversations, sessions and messages', () => {
    for (const { messages, commits, writes } of result.warm)
      expect({ commits, writes }).toEqual({ commits: messages, writes: 3 * messages });
  });

  it('are counted completely: a process without the session in memory reads it once', () => {
    expect(result.cold.messages).toBe(3);
    expect(result.cold.readsOf('sessions')).toBe(3);
    // The key and its tenant are read before the hook that counts: once by each of two processes, and each again
    // when its copy is a second old.
    expect(result.outside.reads).toBeGreaterThanOrEqual(4);
  });
});
