import { hasNegation, isDayAfterWeekday, isNegated, isPartOfSum } from './context-words.js';
import type { Language } from './number-data.js';
import { comparable, type NumberWords, numberWordsOf } from './number-words.js';
import type { Reading } from './reading.js';
import { isPartOfDateOrTime, isWithoutSpaces, temporalWordsOf } from './temporal-words.js';

/** A part of a number: figures or a word. */
interface Part {
  start: number;
  end: number;
  isWord: boolean;
}

const separators = ".,'’٫٬\u00a0\u2009\u202f ";
const figure = `\\p{N}+(?:[${separators}]\\p{N}+)*`;
const partPattern = new RegExp(`${figure}|\\p{L}[\\p{L}\\p{M}]*(?:['’ʼ]\\p{L}+)*`, 'gu');
const hanDigits = '〇零一二两兩三四五六七八九十百千万萬亿億兆廿卅卌';
const partBesideHan = new RegExp(`${figure}|[${hanDigits}]+`, 'gu');

interface Format {
  decimal: string;
  /** True if thousands are separated by spaces. */
  isSpaced: boolean;
}

const formats = new Map<Language, Format>();

function formatOf(language: Language): Format {
  let format = formats.get(language);
  if (!format) {
    const parts = new Intl.NumberFormat(`${language}-u-nu-latn`).formatToParts(1_234_567.5);
    const valueOf = (wanted: string): string => parts.find(({ type }) => type === wanted)?.value ?? '';
    format = {
      decimal: valueOf('decimal') === ',' ? ',' : '.',
      isSpaced: /\s/u.test(valueOf('group')),
    };
    formats.set(language, format);
  }
  return format;
}

/** Converts the decimal digits of any script, such as ３ or ٣, to those of ASCII. */
export const asciiDigits = (text: string): string =>
  text.replace(/\p{Nd}/gu, (digit) => {
    // Digits outside of the basic plane would move the rest of the text.
    if (digit.length > 1) return digit;
    const code = digit.codePointAt(0) ?? 0;
    let zero = code;
    // The ten digits of a script follow each other, and begin with the zero.
    while (zero > code - 10 && /\p{Nd}/u.test(String.fromCodePoint(zero - 1))) zero--;
    return String((code - zero) % 10);
  });

/** Numbers with more digits than this are not exact. */
const MOST_DIGITS = 15;

/** "1.234,5" in German is 1234.5. Undefined if the text is not one complete number. */
function valueOfFigures(text: string, language: Language): number | undefined {
  const { decimal, isSpaced } = formatOf(language);
  const group = decimal === ',' ? '.' : ',';
  const usual = asciiDigits(text)
    .replaceAll('٫', decimal)
    .replace(/[٬’]/gu, "'")
    .replace(isSpaced ? /\s/gu : /[\u00a0\u2009\u202f]/gu, '_');
  const number = new RegExp(
    `^(\\d+|[1-9]\\d{0,2}(?:([${group}'_])\\d{3})(?:\\2\\d{3})*)(?:[${decimal}](\\d+))?$`,
  );
  const [, whole, , fraction = ''] = number.exec(usual) ?? [];
  if (whole === undefined) return undefined;
  const digits = whole.replace(/\D/gu, '');
  return digits.length + fraction.length <= MOST_DIGITS ? Number(`${digits}.${fraction || '0'}`) : undefined;
}

const signs = /[-‐‑‒–—−~〜～+*/⁄∕×÷:^=&|_·•…<>]/gu;
const longestLink = 40;

/** True if two parts with this text between them belong to one expression, such as "5 - 10" or "2 or 3". */
function isJoined(between: string, words: NumberWords): boolean {
  if (between.length > longestLink || between.includes('\n')) return false;
  if (between === '.' || between === ',') return true;
  return between
    .replace(signs, ' ')
    .split(/[^\S\n]+/u)
    .every((word) => word === '' || words.isLink(word));
}

/** Parts that belong to one expression. */
function expressionsIn(parts: readonly Part[], isOne: (between: Part, next: Part) => boolean): Part[][] {
  const expressions: Part[][] = [];
  let last: Part | undefined;
  for (const part of parts) {
    if (last && isOne(last, part)) expressions.at(-1)?.push(part);
    else expressions.push([part]);
    last = part;
  }
  return expressions;
}

const attachedBefore = /[\p{L}\p{M}\p{N}_#+.,/⁄∕@&=*^<>≤≥≈~±×÷√–—\\-]$|[\p{L}\p{N}]['’]$/u;
const attachedAfter =
  /^(?:[\p{L}\p{M}\p{N}_#/⁄∕@&=*^×÷\\+–—-]|[.,:'’][\p{L}\p{N}]|[^\S\n]?(?:[%‰٪％]|[-–—−][^\S\n]?\p{N}))/u;
const minus = /(?:^|[\s(:])[-−]$/u;
const spacedMinus = /(?:^|[(:=])\s*[-−–]\s$/u;
const wordBefore = /[\p{L}\p{N}_#@&*^<>\\'’-]$/u;
const wordAfter = /^[\p{L}\p{N}_@&*^\\'’/-]|^[^\S\n]?[%‰٪％]/u;
const besideHanAfter =
  /^(?:[a-z_#/⁄∕@&=*^×÷\\+–—-]|[.,:'’][\p{L}\p{N}]|\s?[%‰％]|[年月号號割折成倍半]|日(?!間|间)|[時时](?!間|间)|[点點]|分(?!間|钟|鐘)|[週周](?!間)|[人名位個个つ本枚張张]半)/u;
const besideHanBefore =
  /\d[.,]$|[a-z_#+/⁄∕@&=*^<>≤≥≈~±×÷√–—\\第数數几幾半每毎点點分-]$|分[の之]$|マイナス$|[负負]$|[周週]$|星期$|[礼禮]拜$/u;
const counters = /^(?:[人名位個个つ本枚件張张](?!半)|です|[\s\p{P}]|$)/u;
const hanLink = /^[\s、~〜～\-–/]*(?:(?:から|到|至|或者?|か|または|と|分の|分之|[点點.])[\s~〜～-]*)?$/u;

/** Languages that write "4." for "fourth". */
const withOrdinalDots = new Set<Language>(['de', 'fi']);

interface NumberOptions {
  language: Language;
  /** True if the number was asked for: words for 0 and 1, which may be articles, then count. */
  asked: boolean;
  fits: (value: number) => boolean;
  /** True if no other number is expected in the text. */
  isOnly?: boolean;
}

/** True if the message says what the number is not. Another number in it is then not taken either. */
function isAnyNegated(text: string, expressions: readonly Part[][], language: Language): boolean {
  if (!hasNegation(text, language)) return false;
  const { valueOf } = numberWordsOf(language);
  return expressions.some((parts) => {
    const [first, last] = [parts[0], parts.at(-1)];
    if (!first || !last) return false;
    const range = { start: first.start, end: last.end };
    // In "no es una fiesta", the word is an article.
    const isArticle = first.isWord && (valueOf(text.slice(range.start, range.end)) ?? 0) < 2;
    return !isArticle && isNegated(text, range, language);
  });
}

/**
 * The first number, unless another one has to be added to it: "4 adults 2 children". A number after a comma or
 * after the word for "at" is something else.
 */
function onlyOneOf(
  text: string,
  readings: readonly Reading<number>[],
  { language, isOnly = false }: NumberOptions,
): Reading<number> | undefined {
  const [first, ...others] = readings;
  if (!first || isPartOfSum(text, first, language)) return undefined;
  const isCounted = /^[^\S\n]?\p{L}/u.test(text.slice(first.end, first.end + 2));
  if (!isOnly || !isCounted) return first;
  const { besideAt } = temporalWordsOf(language);
  const isMore = others.some(
    (other) => !besideAt.isBefore(text, other.start) && !isPartOfDateOrTime(text, other, language, false),
  );
  return isMore ? undefined : first;
}

function readBesideHan(text: string, options: NumberOptions): Reading<number> | undefined {
  const { language, fits } = options;
  const words = numberWordsOf(language);
  const parts = [...text.matchAll(partBesideHan)].map(({ 0: found, index }) => ({
    start: index,
    end: index + found.length,
    isWord: !/^\p{Nd}/u.test(found),
  }));
  const isOne = ({ end }: Part, { start }: Part): boolean => hanLink.test(text.slice(end, start));
  const expressions = expressionsIn(parts, isOne);
  if (isAnyNegated(text, expressions, language)) return undefined;
  const readings: Reading<number>[] = [];
  for (const [part, ...others] of expressions) {
    if (!part || others.length > 0) continue;
    const { start, end, isWord } = part;
    const [before, after] = [text.slice(Math.max(0, start - 4), start), text.slice(end, end + 4)];
    if (besideHanBefore.test(before) || besideHanAfter.test(after)) continue;
    const found = text.slice(start, end);
    if (isWord && !counters.test(after)) continue;
    const value = isWord ? words.valueOf(found) : valueOfFigures(found, language);
    if (value !== undefined && fits(value)) readings.push({ value, start, end });
  }
  return onlyOneOf(text, readings, options);
}

/**
 * Reads the first number of the text that fits: figures as the language writes them, in the digits of any
 * script, or words up to 999. What belongs to a longer expression ("1/2", "5-10", "two or three", "not 4") or
 * to a date or time is not read.
 */
export function readNumber(text: string, options: NumberOptions): Reading<number> | undefined {
  const { language, asked, fits } = options;
  if (isWithoutSpaces(language)) return readBesideHan(text, options);
  const words = numberWordsOf(language);
  const parts: Part[] = [];
  for (const { 0: found, index } of text.matchAll(partPattern)) {
    const isWord = !/^\p{N}/u.test(found);
    if (!isWord || words.isPart(comparable(found, language)))
      parts.push({ start: index, end: index + found.length, isWord });
  }
  const isOne = ({ end }: Part, { start }: Part): boolean => isJoined(text.slice(end, start), words);
  const expressions = expressionsIn(parts, isOne);
  if (isAnyNegated(text, expressions, language)) return undefined;
  let article: Reading<number> | undefined;
  const readings: Reading<number>[] = [];
  for (const expression of expressions) {
    const reading = readExpression(text, expression, options);
    if (!reading || !fits(reading.value)) continue;
    if (isPartOfDateOrTime(text, reading, language, asked)) continue;
    if (!asked && isDayAfterWeekday(text, reading, language)) continue;
    // In "une table pour six", the first word is an article.
    if (reading.value >= 2 || expression[0]?.isWord !== true) readings.push(reading);
    else article ??= reading;
  }
  return readings.length > 0 ? onlyOneOf(text, readings, options) : article;
}

function readExpression(
  text: string,
  expression: readonly Part[],
  options: NumberOptions,
): Reading<number> | undefined {
  const [first, last] = [expression[0], expression.at(-1)];
  if (!first || !last) return undefined;
  if (expression.every(({ isWord }) => isWord)) return readWords(text, first.start, last.end, options);
  return first === last ? readFigures(text, first.start, last.end, options) : undefined;
}

function readWords(
  text: string,
  start: number,
  end: number,
  { language, asked }: NumberOptions,
): Reading<number> | undefined {
  if (wordBefore.test(text.slice(0, start).slice(-2)) || wordAfter.test(text.slice(end, end + 3)))
    return undefined;
  const value = numberWordsOf(language).valueOf(text.slice(start, end));
  return value === undefined || (value < 2 && !asked) ? undefined : { value, start, end };
}

function readFigures(
  text: string,
  start: number,
  end: number,
  { language, asked }: NumberOptions,
): Reading<number> | undefined {
  const before = text.slice(Math.max(0, start - 4), start);
  const after = text.slice(end, end + 4);
  const isNegative = minus.test(before);
  if ((!isNegative && attachedBefore.test(before)) || spacedMinus.test(before) || attachedAfter.test(after))
    return undefined;
  if (withOrdinalDots.has(language) && after.startsWith('.') && !asked) return undefined;
  const value = valueOfFigures(text.slice(start, end), language);
  if (value === undefined) return undefined;
  return isNegative ? { value: -value, start: start - 1, end } : { value, start, end };
}
