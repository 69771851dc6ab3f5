const LONGEST_WORD = 64;

const unspaced =
  '\\p{sc=Han}\\p{sc=Hiragana}\\p{sc=Katakana}\\p{sc=Hangul}\\p{sc=Thai}\\p{sc=Lao}\\p{sc=Khmer}';
const spaced = `[[\\p{L}\\p{M}\\p{N}]--[${unspaced}]]`;

/** One emoji with its modifiers, or several that are joined to one (a family), or a flag. */
const picture = '\\p{Extended_Pictographic}[\\p{Emoji_Modifier}\\uFE0F]?';
const emoji = `${picture}(?:\\u200D${picture}){0,8}|\\p{Regional_Indicator}{2}`;

/**
 * In scripts that do not separate words with spaces, each character is a word. Korean is treated like them:
 * its particles are written without a space after the word, so whole words are rarely equal, but their
 * syllables are. An emoji is a word. Otherwise a word is a run of letters and digits, including the parts of a
 * number (`7:30`, `19.99`). Runs of more than 64 characters are cut, which bounds the work per character. The
 * parts of the pattern match disjoint characters, so matching takes linear time.
 */
const wordPattern = new RegExp(
  `[${unspaced}]|${emoji}|${spaced}{1,${LONGEST_WORD}}(?:[.:,]\\p{N}{1,${LONGEST_WORD}}){0,8}`,
  'gv',
);

/** What gives an emoji a skin color or another presentation. */
const modifiers = /[\p{Emoji_Modifier}\uFE0F]/gu;

const combining = /[\u0300-\u036f]/g;

/** Variants and ligatures of letters that have no Unicode decomposition. */
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

/**
 * Converts to lower case without accents: `Café` and `CAFE` become equal. Vowel signs of Indic scripts are
 * kept, because they are letters.
 */
const fold = (word: string): string =>
  word
    .normalize('NFKD')
    .replace(combining, '')
    .toLowerCase()
    .replace(combining, '')
    .replace(modifiers, '')
    .replace(special, (letter) => letters[letter] ?? letter);

const ascii = /^\p{ASCII}*$/u;

/** Yields the folded words of a text, in order. */
export function* wordsOf(text: string): Generator<string> {
  const isAscii = ascii.test(text);
  // Composed, because a syllable of Korean may be given as its letters.
  const plain = isAscii ? text.toLowerCase() : text.normalize('NFC');
  for (const [word] of plain.matchAll(wordPattern)) {
    const folded = isAscii ? word : fold(word);
    if (folded !== '') yield folded;
  }
}
