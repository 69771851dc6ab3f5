import { ServerError, unsupported } from './errors.js';

/** Ranges of code points, both ends inclusive. */
export type Ranges = readonly (readonly [number, number])[];

export const invalidRegex = (reason: string): ServerError =>
  new ServerError(51091, `Regular expression is invalid: ${reason}`);

export const unsupportedRegex = (what: string): ServerError => unsupported(`${what} in a regular expression`);

const LAST = 0x10ffff;
const code = (character: string): number => character.codePointAt(0) ?? 0;

/** Regular expression source that matches the character literally, in and outside character classes. */
export const scalarText = (value: number): string => {
  const character = String.fromCodePoint(value);
  return /\w/.test(character) ? character : `\\u{${value.toString(16)}}`;
};

/** Regular expression source of the ranges, for use in a character class. */
export const rangesText = (ranges: Ranges): string =>
  ranges
    .map(([low, high]) => (low === high ? scalarText(low) : `${scalarText(low)}-${scalarText(high)}`))
    .join('');

/** The last character that has another case. */
const LAST_CASED = 0x1e943;

/**
 * Maps each character that has another case to all its case variants, by Unicode simple case folding as in
 * PCRE.
 */
const caseVariants = ((): (() => ReadonlyMap<number, readonly number[]>) => {
  let table: Map<number, number[]> | undefined;
  return () => (table ??= foldTable());
})();

const foldTable = (): Map<number, number[]> => {
  const byFold = new Map<string, number[]>();
  for (let value = 0x41; value <= LAST_CASED; value++) {
    const character = String.fromCodePoint(value);
    const fold = foldOf(character);
    if (fold === character && character.toUpperCase() === character) continue;
    byFold.set(fold, [...(byFold.get(fold) ?? []), value]);
  }
  const table = new Map<number, number[]>();
  for (const variants of byFold.values())
    if (variants.length > 1) for (const value of variants) table.set(value, variants);
  return table;
};

const foldOf = (character: string): string => {
  // Dotless i has the upper case I only in Turkish.
  if (character === 'ı') return character;
  const upper = character.toUpperCase();
  const lower = (isOne(upper) ? upper : character).toLowerCase();
  return isOne(lower) ? lower : character;
};

const isOne = (text: string): boolean => text.length === 1 || (text.length === 2 && code(text) > 0xffff);

/** The characters that are equal to this one when case is ignored. */
export const foldedVariants = (value: number): readonly number[] => caseVariants().get(value) ?? [value];

const inverted = (ranges: Ranges): Ranges => {
  const result: [number, number][] = [];
  let from = 0;
  for (const [low, high] of [...ranges].sort((a, b) => a[0] - b[0])) {
    if (low > from) result.push([from, low - 1]);
    from = Math.max(from, high + 1);
  }
  if (from <= LAST) result.push([from, LAST]);
  return result;
};

const digit: Ranges = [[0x30, 0x39]];
const upper: Ranges = [[0x41, 0x5a]];
const lower: Ranges = [[0x61, 0x7a]];
const alpha: Ranges = [...upper, ...lower];
const word: Ranges = [...digit, ...alpha, [0x5f, 0x5f]];
const space: Ranges = [
  [0x09, 0x0d],
  [0x20, 0x20],
];
const horizontal: Ranges = [
  [0x09, 0x09],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x180e, 0x180e],
  [0x2000, 0x200a],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
];
const vertical: Ranges = [
  [0x0a, 0x0d],
  [0x85, 0x85],
  [0x2028, 0x2029],
];

/**
 * The character types of MongoDB's PCRE match ASCII only, unless a pattern starts with `(*UCP)`, which is
 * rejected.
 */
const types: Readonly<Record<string, Ranges>> = { d: digit, w: word, s: space, h: horizontal, v: vertical };

const posix: Readonly<Record<string, Ranges>> = {
  alnum: [...digit, ...alpha],
  alpha,
  ascii: [[0, 0x7f]],
  blank: [
    [0x09, 0x09],
    [0x20, 0x20],
  ],
  cntrl: [
    [0, 0x1f],
    [0x7f, 0x7f],
  ],
  digit,
  graph: [[0x21, 0x7e]],
  lower,
  print: [[0x20, 0x7e]],
  punct: [
    [0x21, 0x2f],
    [0x3a, 0x40],
    [0x5b, 0x60],
    [0x7b, 0x7e],
  ],
  space,
  upper,
  word,
  xdigit: [...digit, [0x41, 0x46], [0x61, 0x66]],
};

const controls: Readonly<Record<string, number>> = { a: 7, e: 27, f: 12, n: 10, r: 13, t: 9 };
const categories = /^(?:C[cfnos]?|L[lmotu]?|M[cen]?|N[dlo]?|P[cdefios]?|S[ckmo]?|Z[lps]?)$/;

export interface Escape {
  /** Position after the escape. */
  at: number;
  /** A single character, several characters as ranges, or a class with the same name in JavaScript. */
  code?: number;
  ranges?: Ranges;
  text?: string;
}

/**
 * Parses escapes such as `\x` and `\d` that have the same meaning in and outside classes. `at` is after the
 * backslash.
 */
export const classEscape = (pattern: string, at: number): Escape => {
  const rest = pattern.slice(at);
  const letter = rest[0] ?? '';
  const type = types[letter.toLowerCase()];
  if (type) return { at: at + 1, ranges: letter in types ? type : inverted(type) };
  if (letter in controls) return { at: at + 1, code: controls[letter] ?? 0 };
  if (/[pP]/.test(letter)) return property(rest, at);
  const number =
    /^x\{([0-9a-fA-F]+)\}/.exec(rest) ??
    /^x([0-9a-fA-F]{0,2})/.exec(rest) ??
    /^o\{([0-7]+)\}/.exec(rest) ??
    /^(0[0-7]{0,2}|[1-7][0-7]{0,2})/.exec(rest);
  if (number) {
    const value = parseInt(number[1] || '0', letter === 'x' ? 16 : 8);
    if (value > LAST) throw invalidRegex('character code point value in \\x{} or \\o{} is too large');
    return { at: at + number[0].length, code: value };
  }
  if (letter === 'c') {
    const next = rest[1] ?? '';
    if (!/^[ -~]$/.test(next)) throw invalidRegex('\\c must be followed by a printable ASCII character');
    return { at: at + 2, code: code(next.toUpperCase()) ^ 0x40 };
  }
  if (/[89]/.test(letter)) return { at: at + 1, code: code(letter) };
  if (/[a-zA-Z]/.test(letter)) throw invalidRegex(`unrecognized character follows \\: ${letter}`);
  const character = String.fromCodePoint(code(rest));
  return { at: at + character.length, code: code(character) };
};

/** `\p{…}`: general categories and scripts. */
const property = (rest: string, at: number): Escape => {
  const found = /^([pP])(?:([A-Z])|\{(\^?)([\w&]+)\})/.exec(rest);
  if (!found) throw invalidRegex('malformed \\P or \\p sequence');
  const [whole, letter, short, caret, long] = found;
  const name = short ?? long ?? '';
  const negated = (letter === 'P') !== (caret === '^');
  const end = at + whole.length;
  if (name === 'Any') return { at: end, ranges: negated ? [] : [[0, LAST]] };
  if (name === 'L&' || /^X/.test(name)) throw unsupportedRegex(`\\${whole}`);
  if (categories.test(name)) {
    return { at: end, text: `\\${negated ? 'P' : 'p'}{${name}}` };
  }
  try {
    const text = `\\${negated ? 'P' : 'p'}{Script_Extensions=${name}}`;
    new RegExp(text, 'u');
    return { at: end, text };
  } catch {
    throw invalidRegex(`unknown property after \\P or \\p: ${name}`);
  }
};

/** Parses a character class, starting after its opening bracket. */
export class ClassParser {
  private readonly ranges: [number, number][] = [];
  private readonly texts: string[] = [];
  private quoted = false;

  constructor(
    private readonly pattern: string,
    /** Position in the pattern. After `parse`, it is after the closing bracket. */
    public at: number,
    private readonly ignoreCase: boolean,
  ) {}

  parse(): string {
    const negated = this.pattern[this.at] === '^';
    if (negated) this.at++;
    let first = true;
    for (;;) {
      this.skipQuotes();
      const character = this.pattern[this.at];
      if (character === undefined) throw invalidRegex('missing terminating ] for character class');
      if (character === ']' && !first && !this.quoted) break;
      first = false;
      this.member();
    }
    this.at++;
    const inside = rangesText(this.ignoreCase ? this.expanded() : this.ranges) + this.texts.join('');
    if (inside === '') return negated ? '[\\s\\S]' : '[]';
    return `[${negated ? '^' : ''}${inside}]`;
  }

  private skipQuotes(): void {
    for (;;) {
      if (this.pattern.startsWith('\\E', this.at)) this.quoted = false;
      else if (!this.quoted && this.pattern.startsWith('\\Q', this.at)) this.quoted = true;
      else return;
      this.at += 2;
    }
  }

  private member(): void {
    const low = this.one();
    this.skipQuotes();
    const isRange = !this.quoted && this.pattern[this.at] === '-' && this.pattern[this.at + 1] !== ']';
    if (!isRange || this.pattern[this.at + 1] === undefined) {
      if (low !== undefined) this.ranges.push([low, low]);
      return;
    }
    this.at++;
    this.skipQuotes();
    if (!this.quoted && this.pattern[this.at] === ']') {
      this.ranges.push([0x2d, 0x2d]);
      if (low !== undefined) this.ranges.push([low, low]);
      return;
    }
    const high = low === undefined ? undefined : this.one();
    if (low === undefined || high === undefined) throw invalidRegex('invalid range in character class');
    if (high < low) throw invalidRegex('range out of order in character class');
    this.ranges.push([low, high]);
  }

  /** Reads one character. Returns undefined for a class, which is added directly. */
  private one(): number | undefined {
    const { pattern } = this;
    if (!this.quoted && pattern[this.at] === '[' && /^\[[:.=]/.test(pattern.slice(this.at, this.at + 2))) {
      if (this.posixClass()) return undefined;
    }
    if (this.quoted || pattern[this.at] !== '\\') {
      const character = String.fromCodePoint(pattern.codePointAt(this.at) ?? 0);
      this.at += character.length;
      return code(character);
    }
    const letter = pattern[this.at + 1];
    if (letter === undefined) throw invalidRegex('\\ at end of pattern');
    if (letter === 'b') {
      this.at += 2;
      return 8;
    }
    if (/[ABGKNRXZgkz]/.test(letter)) throw unsupportedRegex(`\\${letter} in a character class`);
    const escape = classEscape(pattern, this.at + 1);
    this.at = escape.at;
    if (escape.code !== undefined) return escape.code;
    if (escape.text !== undefined) this.texts.push(escape.text);
    else this.add(escape.ranges ?? []);
    return undefined;
  }

  private posixClass(): boolean {
    const rest = this.pattern.slice(this.at);
    if (/^\[([.=])[^\]]*\1\]/.test(rest)) throw invalidRegex('POSIX collating elements are not supported');
    const found = /^\[:(\^?)([a-z]+):\]/.exec(rest);
    if (!found) return false;
    const [whole, caret, name = ''] = found;
    const folded = this.ignoreCase && (name === 'lower' || name === 'upper') ? 'alpha' : name;
    const ranges = Object.hasOwn(posix, folded) ? posix[folded] : undefined;
    if (!ranges) throw invalidRegex('unknown POSIX class name');
    this.add(caret ? inverted(ranges) : ranges);
    this.at += whole.length;
    return true;
  }

  /** Character classes are unaffected by case and are added unchanged. */
  private add(ranges: Ranges): void {
    this.texts.push(rangesText(ranges));
  }

  private expanded(): Ranges {
    const more: [number, number][] = [];
    for (const [value, variants] of caseVariants()) {
      if (!this.ranges.some(([low, high]) => low <= value && value <= high)) continue;
      for (const variant of variants) more.push([variant, variant]);
    }
    return [...this.ranges, ...more];
  }
}
