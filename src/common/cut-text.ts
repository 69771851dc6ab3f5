const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

/**
 * Returns the longest beginning of `text` of at most `maxLength` UTF-16 code units that splits no grapheme,
 * such as an emoji or a letter with accents. If the text is a single, longer grapheme, it is cut between two
 * characters. The work depends on `maxLength`, not on the length of the text.
 */
export function beginningOf(text: string, maxLength: number): string {
  if (text.length <= maxLength) return text;
  // Whether a grapheme ends at `maxLength` is decided by the character that follows.
  const start = graphemes.segment(text.slice(0, maxLength + 2)).containing(maxLength)?.index ?? 0;
  return text.slice(0, start > 0 ? start : startOfCharacter(text, maxLength));
}

/** Longest grapheme that `endOf` keeps together, in UTF-16 code units. */
const LONGEST = 64;

/**
 * Returns the longest end of `text` of at most `maxLength` UTF-16 code units that splits no grapheme of usual
 * length. The work does not depend on the length of the text.
 */
export function endOf(text: string, maxLength: number): string {
  if (text.length <= maxLength) return text;
  const at = text.length - maxLength;
  const from = startOfCharacter(text, Math.max(0, at - LONGEST));
  const cut = graphemes.segment(text.slice(from, at + LONGEST)).containing(at - from);
  if (!cut || from + cut.index === at) return text.slice(at);
  return text.slice(from + cut.index + cut.segment.length);
}

/** Like `beginningOf`, but ends with an ellipsis if text was cut off. */
export const shortened = (text: string, maxLength: number): string =>
  text.length <= maxLength ? text : `${beginningOf(text, maxLength - 1)}…`;

/** Returns `at`, or the position before it if `at` is in the middle of a surrogate pair. */
const startOfCharacter = (text: string, at: number): number =>
  at > 0 && (text.codePointAt(at - 1) ?? 0) > 0xffff ? at - 1 : at;
