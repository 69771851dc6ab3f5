import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { type Dialogue, parseDialogues } from '../../src/cli/index.js';

/** Texts to store. Each returned text is distinct, so that it cannot be served from the embedding cache. */
export interface Texts {
  /** Source and length of the texts, for the report. */
  description: string;
  /** Returns transcript number `n` of the series `tag`. */
  transcript(tag: string, n: number): string;
  /** Returns a realistic search query. */
  query(n: number): string;
}

const asText = ({ turns }: Dialogue): string =>
  turns.map(({ role, content }) => `${role}: ${content}`).join('\n');

const asQuery = ({ turns }: Dialogue): string =>
  turns
    .filter(({ role }) => role === 'user')
    .slice(0, 2)
    .map(({ content }) => content)
    .join(' ');

const words = (
  'table dinner flight hotel ticket music doctor bus weather movie rental bank Tuesday evening four people seven ' +
  'please book find cheap near the station in San Jose with a view of it and tell me how much that would cost'
).split(' ');

/** Creates dialogues of 16 turns, of about the same length as the recorded ones. */
function synthetic(count: number): { text: string; query: string }[] {
  let state = 1;
  const word = (): string => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return words[(state >>> 8) % words.length] ?? '';
  };
  const sentence = (): string => Array.from({ length: 14 }, word).join(' ');
  return Array.from({ length: count }, () => {
    const turns = Array.from(
      { length: 16 },
      (_, turn) => `${turn % 2 ? 'assistant' : 'user'}: ${sentence()}`,
    );
    return { text: turns.join('\n'), query: sentence() };
  });
}

/** Loads the dialogues in `path`, or creates synthetic ones when the file does not exist. */
export async function loadTexts(path: string): Promise<Texts> {
  const isThere = existsSync(path);
  const all = isThere
    ? parseDialogues(await readFile(path, 'utf8')).map((one) => ({ text: asText(one), query: asQuery(one) }))
    : synthetic(1000);
  const bytes = all.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0) / all.length;
  const pick = (n: number): { text: string; query: string } => all[n % all.length] ?? { text: '', query: '' };
  return {
    description: `${all.length} ${isThere ? 'recorded' : 'synthetic'} dialogues of ${Math.round(bytes).toLocaleString('en-US')} bytes on average, each with a unique reference`,
    transcript: (tag, n) => `${pick(n).text}\nuser: My reference is ${tag}-${n}.`,
    query: (n) => `${pick(n).query} ${n}`,
  };
}
