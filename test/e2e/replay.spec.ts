import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { ApiClient, parseDialogues, Replay } from '../../src/cli/index.js';
import { createTestApp, type TestApp } from '../support/app.js';

describe('replay of the example dialogues', () => {
  let app: TestApp;

  beforeAll(async () => {
    app = await createTestApp();
  });
  afterAll(() => app.close());

  it.each([1, 4])('finds all messages as they were sent, %d dialogues at a time', async (concurrency) => {
    const dialogues = parseDialogues(await readFile(resolve('examples/dialogues.ndjson'), 'utf8'));
    const { apiKey } = await app.createTenant();
    const result = await new Replay(new ApiClient(app.url, apiKey), { concurrency, run: 'examples' }).run(
      dialogues,
    );
    const turns = dialogues.reduce((sum, dialogue) => sum + dialogue.turns.length, 0);
    expect(result.errorExamples).toEqual([]);
    expect(result.mismatches).toEqual([]);
    expect(result).toMatchObject({ dialogues: dialogues.length, turns, messagesCompared: turns });
    expect(result.goalsCompared).toBeGreaterThanOrEqual(dialogues.length);
  });
});
