import type { Dialogue } from '../../../src/cli/index.js';
import { openingOf, ranksOf, recallOf } from './recall.js';

const dialogue = (id: string): Dialogue => ({
  id,
  line: 1,
  services: [],
  turns: [
    { role: 'user', content: `${id} first` },
    { role: 'assistant', content: 'answer' },
    { role: 'user', content: 'second' },
    { role: 'user', content: 'third' },
  ],
});

describe('search recall', () => {
  it('queries with the first two turns of the user', () => {
    expect(openingOf(dialogue('a'))).toBe('a first\nsecond');
  });

  it('counts the queries whose own dialogue is the first hit, and those where it is any hit', async () => {
    const answers = new Map([
      ['a first\nsecond', ['a', 'b']],
      ['b first\nsecond', ['a', 'c', 'b']],
      ['c first\nsecond', ['a', 'b']],
      ['d first\nsecond', []],
    ]);
    const asked: string[] = [];
    const ranks = await ranksOf(
      ['a', 'b', 'c', 'd'].map(dialogue),
      (query) => {
        asked.push(query);
        return Promise.resolve(answers.get(query) ?? []);
      },
      () => undefined,
    );
    expect(asked).toEqual([...answers.keys()]);
    expect(ranks).toEqual([0, 2, undefined, undefined]);
    expect(recallOf(ranks)).toEqual({ queries: 4, first: 0.25, found: 0.5 });
  });

  it('is zero without queries', () => {
    expect(recallOf([])).toEqual({ queries: 0, first: 0, found: 0 });
  });
});
