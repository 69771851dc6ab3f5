import { beginningOf } from '../../common/index.js';

// The locale is fixed so that the same text gives the same excerpt on every machine.
const sentences = new Intl.Segmenter('en', { granularity: 'sentence' });

/** Puts text on one line and replaces unpaired surrogates and control characters. */
export const oneLine = (text: string): string =>
  text
    .replace(/\p{Surrogate}/gu, '\u{fffd}')
    .replace(/[\p{Cc}\s]+/gu, ' ')
    .trim();

/** Cuts at a space if there is one, and appends an ellipsis. */
function cutWords(text: string, maxLength: number): string {
  const room = beginningOf(text, maxLength - 1);
  const end = room.lastIndexOf(' ');
  return `${(end > 0 ? room.slice(0, end) : room).trimEnd()}…`;
}

/**
 * Returns the beginning of a text on one line, at most `maxLength` UTF-16 units: the whole sentences that
 * fit, or, if the first sentence is too long, the words of it that fit.
 */
export function excerpt(text: string, maxLength: number): string {
  const line = oneLine(text);
  if (line.length <= maxLength) return line;
  let kept = '';
  for (const { segment } of sentences.segment(line.slice(0, maxLength + 1))) {
    if ((kept + segment).length > maxLength) break;
    kept += segment;
  }
  return kept.trimEnd() || cutWords(line, maxLength);
}
