// A fixed locale: the same text gives the same excerpt on every machine.
const sentences = new Intl.Segmenter('en', { granularity: 'sentence' });

/** Text on one line, well-formed and without control characters. */
export const oneLine = (text: string): string =>
  text
    .replace(/\p{Surrogate}/gu, '\u{fffd}')
    .replace(/[\p{Cc}\s]+/gu, ' ')
    .trim();

/** Cut between words where there are any, marked as cut. */
function cutWords(text: string, maxLength: number): string {
  const room = text.slice(0, maxLength - 1);
  const end = room.lastIndexOf(' ');
  return `${(end > 0 ? room.slice(0, end) : room).replace(/\p{Surrogate}$/u, '').trimEnd()}…`;
}

/** The beginning of a text on one line, of at most `maxLength` UTF-16 units: whole sentences, or of a longer first one the words that fit. */
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
