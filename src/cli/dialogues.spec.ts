import { DialogueFileError, parseDialogues } from './dialogues.js';

const line = (changes: Record<string, unknown> = {}): string =>
  JSON.stringify({
    dialogue_id: 'd1',
    services: ['Cafe_1'],
    turns: [
      {
        role: 'user',
        content: 'Hi',
        state: [{ service: 'Cafe_1', intent: 'Order', slots: { size: 'big' } }],
      },
      { role: 'assistant', content: 'Hello' },
    ],
    ...changes,
  });

const problemsOf = (text: string): readonly string[] => {
  try {
    parseDialogues(text);
  } catch (error) {
    if (error instanceof DialogueFileError) return error.problems;
    throw error;
  }
  return [];
};

describe('parseDialogues', () => {
  it('reads one dialogue per line and skips empty lines, which still count', () => {
    const dialogues = parseDialogues(`${line()}\n\n${line({ dialogue_id: 'd2' })}\n`);
    expect(dialogues.map(({ id, line: at }) => [id, at])).toEqual([
      ['d1', 1],
      ['d2', 3],
    ]);
    expect(dialogues[0]?.turns[0]?.state?.[0]?.slots).toEqual({ size: 'big' });
  });

  it('reports every invalid line', () => {
    const text = [
      line(),
      '{"dialogue_id": ',
      line({ dialogue_id: 'd3', turns: [{ role: 'bot', content: 'x' }] }),
      line({ dialogue_id: 'd4', turns: [] }),
      line({ dialogue_id: 'd5', turns: [{ role: 'user', content: 5 }] }),
      line({ dialogue_id: 'd6', turns: [{ role: 'user', content: '' }] }),
    ].join('\n');
    expect(problemsOf(text)).toEqual([
      expect.stringMatching(/^line 2: is not valid JSON/),
      'line 3: turns.0.role: must be "user" or "assistant"',
      'line 4: turns: must contain at least one turn',
      expect.stringMatching(/^line 5: turns\.0\.content: /),
    ]);
  });

  it('rejects a state on an assistant turn', () => {
    const turns = [{ role: 'assistant', content: 'x', state: [] }];
    expect(problemsOf(line({ turns }))).toEqual(['line 1: turns.0.state: is only allowed on user turns']);
  });

  it('rejects a duplicate dialogue_id', () => {
    expect(problemsOf(`${line()}\n${line()}`)).toEqual([
      'line 2: dialogue_id "d1" is already used in line 1',
    ]);
  });

  it('rejects a file without dialogues', () => {
    expect(problemsOf('\n\n')).toEqual(['the file contains no dialogue']);
  });
});
