import { fold } from './folded-text.js';
import type { Reading } from './reading.js';

/** The words for 1, 2, 3 … as one text, with alternatives separated by a slash. */
const wordLists: Readonly<Record<string, string>> = {
  ar: 'واحد اثنان/اثنين ثلاثة اربعة خمسة ستة سبعة ثمانية تسعة عشرة',
  de: 'eins/ein/eine/einen/einem zwei/zwo drei vier fünf sechs sieben acht neun zehn elf zwölf',
  es: 'uno/una/un dos tres cuatro cinco seis siete ocho nueve diez once doce',
  fi: 'yksi kaksi kolme neljä viisi kuusi seitsemän kahdeksan yhdeksän kymmenen yksitoista kaksitoista',
  fr: 'un/une deux trois quatre cinq six sept huit neuf dix onze douze',
  id: 'satu dua tiga empat lima enam tujuh delapan sembilan sepuluh sebelas',
  it: 'uno/una/un due tre quattro cinque sei sette otto nove dieci undici dodici',
  nl: 'een/één twee drie vier vijf zes zeven acht negen tien elf twaalf',
  pt: 'um/uma dois/duas três quatro cinco seis sete oito nove dez onze doze',
  ru: 'один/одна/одного два/две/двух/двоих три/трех/троих четыре/четырех/четверых пять/пяти/пятерых шесть/шести семь/семи восемь/восьми девять/девяти десять/десяти',
  sv: 'en/ett två tre fyra fem sex sju åtta nio tio elva tolv',
  uk: "один/одна два/дві/двох три/трьох чотири/чотирьох п'ять/п’ять шість сім вісім дев'ять/дев’ять десять",
  vi: 'một hai ba bốn năm sáu bảy tám chín mười',
};

/** Chinese and Japanese write numbers without spaces around them. */
const digitsOfHan = '一二三四五六七八九';
const han =
  /(?<![一二两兩三四五六七八九十百千万萬億亿零〇])(?:[一二两兩三四五六七八九]?十[一二三四五六七八九]?|[一二两兩三四五六七八九])(?:[人名位个個つ本枚件張张]|$)/u;

/** Numbers by folded word. */
const words = new Map(
  Object.entries(wordLists).map(([language, list]) => [
    language,
    new Map(
      list.split(' ').flatMap((forms, at) => forms.split('/').map((form) => [fold(form), at + 1] as const)),
    ),
  ]),
);

const figures = /(?<![\p{L}\p{N}.,#+-])\p{Nd}{1,12}(?:[.,]\p{Nd}{1,6}){0,4}(?![\p{L}\p{N}-])/gu;
const figuresBesideHan = /(?<![A-Za-z\p{N}.,#+-])\p{Nd}{1,12}(?:[.,]\p{Nd}{1,6}){0,4}(?![A-Za-z\p{N}-])/gu;
const word = /[\p{L}'’]{1,30}/gu;

const separators = new Map<string, string>();

/** The character before the decimals, such as the comma in German. */
function decimalOf(language: string): string {
  let decimal = separators.get(language);
  if (decimal === undefined) {
    const parts = new Intl.NumberFormat(`${language}-u-nu-latn`).formatToParts(1.5);
    decimal = parts.find(({ type }) => type === 'decimal')?.value === ',' ? ',' : '.';
    separators.set(language, decimal);
  }
  return decimal;
}

/** Converts the decimal digits of any script, such as ３ or ٣, to those of ASCII. */
const asciiDigits = (text: string): string =>
  text.replace(/\p{Nd}/gu, (digit) => {
    const code = digit.codePointAt(0) ?? 0;
    let zero = code;
    // The ten digits of a script follow each other, and begin with the zero.
    while (zero > code - 10 && /\p{Nd}/u.test(String.fromCodePoint(zero - 1))) zero--;
    return String((code - zero) % 10);
  });

/** "1.234,5" in German is 1234.5. Undefined if the groups of thousands are not complete. */
function valueOf(text: string, decimal: string): number | undefined {
  const [whole = '', ...fractions] = asciiDigits(text).split(decimal);
  if (fractions.length > 1) return undefined;
  const [first = '', ...groups] = whole.split(decimal === ',' ? '.' : ',');
  if (groups.some((group) => group.length !== 3) || (groups.length > 0 && first.length > 3)) return undefined;
  return Number(`${first}${groups.join('')}.${fractions[0] ?? '0'}`);
}

const ofHan = (text: string): number => {
  const digit = (char: string): number =>
    /[两兩]/u.test(char) ? 2 : char === '' ? 0 : digitsOfHan.indexOf(char) + 1;
  const tens = text.indexOf('十');
  if (tens === -1) return digit(text.charAt(0));
  return 10 * (tens === 0 ? 1 : digit(text.charAt(0))) + Math.max(0, digit(text.charAt(tens + 1)));
};

const isWithoutSpaces = (language: string): boolean => language === 'ja' || language === 'zh';

/**
 * Reads the first number of folded text that fits: figures as the language writes them, in the digits of any
 * script, or a small number as a word. The word for 1 is read only if a number was `asked` for, because it is
 * also an article.
 */
export function localNumber(
  text: string,
  language: string,
  asked: boolean,
  fits: (value: number) => boolean,
): Reading<number> | undefined {
  const pattern = isWithoutSpaces(language) ? figuresBesideHan : figures;
  for (const { 0: found, index } of text.matchAll(pattern)) {
    const value = valueOf(found, decimalOf(language));
    if (value !== undefined && fits(value)) return { value, start: index, end: index + found.length };
  }
  if (isWithoutSpaces(language)) {
    const match = han.exec(text);
    const value = match ? ofHan(match[0]) : undefined;
    return match && value !== undefined && fits(value)
      ? { value, start: match.index, end: match.index + match[0].length }
      : undefined;
  }
  const known = words.get(language);
  for (const { 0: found, index } of text.matchAll(word)) {
    const value = known?.get(found);
    if (value === undefined || (value === 1 && !asked) || !fits(value)) continue;
    return { value, start: index, end: index + found.length };
  }
  return undefined;
}
