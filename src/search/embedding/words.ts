const LONGEST_WORD = 64;

const unspaced = '\\p{sc=Han}\\p{sc=Hiragana}\\p{sc=Katakana}\\p{sc=Thai}\\p{sc=Lao}\\p{sc=Khmer}';
const spaced = `[[\\p{L}\\p{M}\\p{N}]--[${unspaced}]]`;

/**
 * A character of a script that puts no spaces between words is a word by itself; other letters and digits in a row are one, together
 * with the parts of a number (`7:30`, `19.99`). Runs of more than 64 are cut, which bounds the work per character. What one part
 * of the pattern takes, no other could, so that matching takes linear time.
 */
const wordPattern = new RegExp(
  `[${unspaced}]|${spaced}{1,${LONGEST_WORD}}(?:[.:,]\\p{N}{1,${LONGEST_WORD}}){0,8}`,
  'gv',
);

const combining = /[\u0300-\u036f]/g;

/** Letters that are another one with a stroke or two in one, but have no decomposition of their own. */
const letters: Readonly<Record<string, string>> = {
  ß: 'ss',
  æ: 'ae',
  œ: 'oe',
  ø: 'o',
  đ: 'd',
  ð: 'd',
  ł: 'l',
  þ: 'th',
  ı: 'i',
  ς: 'σ',
};
const special = new RegExp(`[${Object.keys(letters).join('')}]`, 'g');

/** Lower case without accents: `Café` and `CAFE` are the same. Vowel signs of Indic scripts stay, since they are letters there. */
const fold = (word: string): string =>
  word
    .normalize('NFKD')
    .replace(combining, '')
    .toLowerCase()
    .replace(combining, '')
    .replace(special, (letter) => letters[letter] ?? letter);

const ascii = /^\p{ASCII}*$/u;

/** The folded words of a text, in order. */
export function* wordsOf(text: string): Generator<string> {
  const isAscii = ascii.test(text);
  for (const [word] of (isAscii ? text.toLowerCase() : text).matchAll(wordPattern)) {
    const folded = isAscii ? word : fold(word);
    if (folded !== '') yield folded;
  }
}
