import { beginningOf, endOf } from '../../common/index.js';

const CUT = '\n[…]\n';

/**
 * Returns `text` unchanged if it fits in `maxBytes` of UTF-8, otherwise its beginning and end around a
 * marker. Splits no grapheme.
 */
export function boundedText(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= maxBytes) return text;
  const half = Math.floor((maxBytes - Buffer.byteLength(CUT)) / 2);
  let headEnd = half;
  // A byte 10xxxxxx continues the character that began before it.
  while (headEnd > 0 && isContinuation(bytes[headEnd])) headEnd--;
  let tailStart = bytes.length - half;
  while (tailStart < bytes.length && isContinuation(bytes[tailStart])) tailStart++;
  const head = beginningOf(text, bytes.toString('utf8', 0, headEnd).length);
  const tail = endOf(text, bytes.toString('utf8', tailStart).length);
  return `${head}${CUT}${tail}`;
}

const isContinuation = (byte = 0): boolean => (byte & 0b1100_0000) === 0b1000_0000;
