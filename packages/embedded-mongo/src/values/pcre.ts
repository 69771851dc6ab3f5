import {
  classEscape,
  ClassParser,
  foldedVariants,
  invalidRegex,
  rangesText,
  scalarText,
  unsupportedRegex,
} from './pcre-class.js';

/** A PCRE pattern translated to JavaScript. */
export interface Translation {
  /**
   * Source of a RegExp with the `u` flag. Options such as `i` are expanded into the source, since they can
   * change within a pattern.
   */
  source: string;
  /**
   * The RegExp group for each group of the pattern, starting with group 1. The RegExp may have more groups
   * than the pattern.
   */
  groups: number[];
  /**
   * False if only the test result is guaranteed to match PCRE. The engines differ in the captures of repeated
   * groups that match nothing or contain optional groups.
   */
  sameCaptures: boolean;
}

interface Options {
  i: boolean;
  m: boolean;
  s: boolean;
  x: boolean;
}

/**
 * A part of the output. Groups are numbered at the end, in the order of their parentheses. Additional groups
 * that only JavaScript needs have negative keys.
 */
type Part = string | { open: number } | { reference: number };

interface Node {
  parts: Part[];
  /** Length of the match in characters. */
  min: number;
  max: number;
  /** Numbers of the groups in this node, and of those that are not set by every match. */
  groups: number[];
  optionalGroups: number[];
}

interface Alternatives extends Node {
  fixed: boolean;
}

const nothing = (text: string): Node => ({ parts: [text], min: 0, max: 0, groups: [], optionalGroups: [] });
const width = (text: string, min = 1, max = min): Node => ({ ...nothing(text), min, max });

const QUANTIFIER = /^(?:[*+?]|\{(\d+)(?:(,)(\d*))?\})/;

const startOfText = '(?<![\\s\\S])';
const endOfText = '(?![\\s\\S])';
const lineBreak = '\\n\\u000b\\f\\r\\u0085\\u2028\\u2029';

/** Translates a pattern of PCRE2 as used by MongoDB (UTF, without UCP) by recursive descent. */
class Translator {
  private at = 0;
  private groupCount = 0;
  private helperCount = 0;
  private inLookbehind = false;
  private readonly outputOf = new Map<number, number>();
  private readonly leastWidths = new Map<number, number>();
  private readonly names = new Map<string, number>();
  /** Groups that are always set when the current position is reached. */
  private readonly set = new Set<number>();
  private sameCaptures = true;
  private needsSameCaptures = false;
  private sawReference = false;

  constructor(
    private readonly pattern: string,
    private readonly options: Options,
  ) {}

  translate(): Translation {
    const node = this.alternatives({ ...this.options });
    if (this.at < this.pattern.length) throw invalidRegex('unmatched closing parenthesis');
    if (!this.sameCaptures && (this.needsSameCaptures || this.sawReference)) {
      throw unsupportedRegex(
        'a back reference or an atomic group combined with a repeated group that can match nothing',
      );
    }
    return {
      source: this.render(node.parts),
      groups: Array.from({ length: this.groupCount }, (_, i) => this.outputOf.get(i + 1) ?? 0),
      sameCaptures: this.sameCaptures,
    };
  }

  private render(parts: readonly Part[]): string {
    for (const part of parts) {
      if (typeof part !== 'string' && 'open' in part) this.outputOf.set(part.open, this.outputOf.size + 1);
    }
    return parts
      .map((part) => {
        if (typeof part === 'string') return part;
        return 'open' in part ? '(' : `(?:\\${this.outputOf.get(part.reference) ?? 0})`;
      })
      .join('');
  }

  /** Parses up to the closing parenthesis of the group, or the end. `options` can change on the way. */
  private alternatives(options: Options): Alternatives {
    const before = new Set(this.set);
    const branches: Node[] = [];
    for (;;) {
      this.set.clear();
      for (const group of before) this.set.add(group);
      branches.push(this.sequence(options));
      if (this.pattern[this.at] !== '|') break;
      this.at++;
    }
    const groups = branches.flatMap((branch) => branch.groups);
    const optionalGroups = branches.length > 1 ? groups : branches.flatMap((branch) => branch.optionalGroups);
    this.set.clear();
    for (const group of before) this.set.add(group);
    for (const group of groups) if (!optionalGroups.includes(group)) this.set.add(group);
    return {
      parts: branches.flatMap((branch, i): Part[] => (i === 0 ? branch.parts : ['|', ...branch.parts])),
      min: Math.min(...branches.map(({ min }) => min)),
      max: Math.max(...branches.map(({ max }) => max)),
      fixed: branches.every(({ min, max }) => min === max),
      groups,
      optionalGroups,
    };
  }

  private sequence(options: Options): Node {
    const result: Node = { parts: [], min: 0, max: 0, groups: [], optionalGroups: [] };
    for (;;) {
      this.skipIgnored(options);
      const character = this.pattern[this.at];
      if (character === undefined || character === '|' || character === ')') return result;
      const atom = this.atom(options);
      if (!atom) continue;
      const node = this.quantified(atom, options);
      result.parts.push(...node.parts);
      result.min += node.min;
      result.max += node.max;
      result.groups.push(...node.groups);
      result.optionalGroups.push(...node.optionalGroups);
    }
  }

  /** Skips comments, `\E` without `\Q`, and white space with the option `x`. */
  private skipIgnored({ x }: Options): void {
    for (;;) {
      const rest = this.pattern.slice(this.at, this.at + 3);
      if (rest.startsWith('(?#')) {
        const end = this.pattern.indexOf(')', this.at);
        if (end < 0) throw invalidRegex('missing ) after (?# comment');
        this.at = end + 1;
      } else if (rest.startsWith('\\E')) this.at += 2;
      else if (rest.startsWith('\\Q') && this.pattern.startsWith('\\E', this.at + 2)) this.at += 4;
      else if (x && /^[\t-\r \u0085\u200e\u200f\u2028\u2029]/.test(rest)) this.at++;
      else if (x && rest.startsWith('#')) {
        const end = this.pattern.indexOf('\n', this.at);
        this.at = end < 0 ? this.pattern.length : end + 1;
      } else return;
    }
  }

  /** Parses an item that can be quantified. Returns undefined for an option setting. */
  private atom(options: Options): Node | undefined {
    this.refuseQuantifier();
    const character = this.take();
    switch (character) {
      case '^':
        return this.unrepeatable(options, options.m ? `(?:${startOfText}|(?<=\\n)(?=[\\s\\S]))` : '^');
      case '$':
        return this.unrepeatable(options, options.m ? `(?:(?=\\n)|${endOfText})` : '(?=\\n?$)');
      case '.':
        return width(options.s ? '[\\s\\S]' : '[^\\n]');
      case '[':
        return width(this.characterClass(options));
      case '(':
        return this.group(options);
      case '\\':
        return this.escape(options);
      default:
        return this.literal(character, options);
    }
  }

  private take(): string {
    const character = String.fromCodePoint(this.pattern.codePointAt(this.at) ?? 0);
    this.at += character.length;
    return character;
  }

  /** A character, or all its case variants if case is ignored. */
  private literal(character: string, { i }: Options): Node {
    const code = character.codePointAt(0) ?? 0;
    const variants = i ? foldedVariants(code) : [code];
    return width(variants.length === 1 ? scalarText(code) : `[${variants.map(scalarText).join('')}]`);
  }

  private characterClass({ i }: Options): string {
    const parser = new ClassParser(this.pattern, this.at, i);
    const text = parser.parse();
    this.at = parser.at;
    return text;
  }

  private group(options: Options): Node | undefined {
    const { pattern } = this;
    if (pattern[this.at] === '*') throw unsupportedRegex('(*VERB)');
    if (pattern[this.at] !== '?') return this.capturing(options, undefined);
    const rest = pattern.slice(this.at + 1);
    const named = /^(?:P?<(\w+)>|'(\w+)')/.exec(rest);
    if (named) {
      this.at += 1 + named[0].length;
      return this.capturing(options, named[1] ?? named[2]);
    }
    const reference = /^P=(\w+)\)/.exec(rest);
    if (reference) {
      this.at += 1 + reference[0].length;
      return this.reference(this.groupNamed(reference[1] ?? ''), options);
    }
    for (const [opening, lookbehind] of [
      ['=', false],
      ['!', false],
      ['<=', true],
      ['<!', true],
    ] as const) {
      if (!rest.startsWith(opening)) continue;
      this.at += 1 + opening.length;
      return this.assertion(opening, lookbehind, options);
    }
    if (rest.startsWith('>')) {
      this.at += 2;
      return this.atomic(this.closed(options));
    }
    const setting = /^(\^?)([a-zA-Z]*)(?:-([a-zA-Z]*))?([:)])/.exec(rest);
    if (!setting) throw unsupportedRegex(`(?${rest.slice(0, 1)}`);
    this.at += 1 + setting[0].length;
    if (setting[2]?.includes('xx')) throw unsupportedRegex('(?xx)');
    const changed = setting[4] === ')' ? options : { ...options };
    if (setting[1]) Object.assign(changed, { i: false, m: false, s: false, x: false });
    for (const letter of setting[2] ?? '') changed[optionOf(letter)] = true;
    for (const letter of setting[3] ?? '') changed[optionOf(letter)] = false;
    if (setting[4] === ')') return undefined;
    const inner = this.closed(changed);
    return { ...inner, parts: ['(?:', ...inner.parts, ')'] };
  }

  /** Parses the rest of a group including the closing parenthesis. Options set in the group end with it. */
  private closed(options: Options): Alternatives {
    const inner = this.alternatives({ ...options });
    if (this.pattern[this.at] !== ')') throw invalidRegex('missing closing parenthesis');
    this.at++;
    return inner;
  }

  private capturing(options: Options, name: string | undefined): Node {
    const group = ++this.groupCount;
    if (name !== undefined) {
      if (this.names.has(name)) throw invalidRegex('two named subpatterns have the same name');
      this.names.set(name, group);
    }
    const inner = this.closed(options);
    this.set.add(group);
    this.leastWidths.set(group, inner.min);
    return { ...inner, parts: [{ open: group }, ...inner.parts, ')'], groups: [group, ...inner.groups] };
  }

  private assertion(opening: string, lookbehind: boolean, options: Options): Node {
    const before = new Set(this.set);
    const outside = this.inLookbehind;
    this.inLookbehind ||= lookbehind;
    const inner = this.closed(options);
    this.inLookbehind = outside;
    if (lookbehind && !inner.fixed) throw invalidRegex('lookbehind assertion is not fixed length');
    const negative = opening.endsWith('!');
    if (negative) {
      this.set.clear();
      for (const group of before) this.set.add(group);
    }
    return {
      ...nothing(''),
      parts: [`(?${opening}`, ...inner.parts, ')'],
      groups: inner.groups,
      optionalGroups: negative ? inner.groups : inner.optionalGroups,
    };
  }

  /** JavaScript does not backtrack into a lookahead, so its capture is then matched literally. */
  private atomic(inner: Node): Node {
    if (this.inLookbehind)
      throw unsupportedRegex('an atomic group or a possessive quantifier in a lookbehind');
    this.needsSameCaptures = true;
    const helper = -++this.helperCount;
    return {
      ...inner,
      parts: ['(?:(?=', { open: helper }, ...inner.parts, '))', { reference: helper }, ')'],
    };
  }

  /** The item with its quantifier, if any. */
  private quantified(atom: Node, options: Options): Node {
    this.skipIgnored(options);
    const found = QUANTIFIER.exec(this.pattern.slice(this.at));
    if (!found) {
      if (/^\{,\d+\}/.test(this.pattern.slice(this.at))) throw unsupportedRegex('{,n}');
      return atom;
    }
    this.at += found[0].length;
    const [min, max] = boundsOf(found);
    if (max > 65_535 && max !== Infinity) throw invalidRegex('number too big in {} quantifier');
    if (min > max) throw invalidRegex('numbers out of order in {} quantifier');
    this.skipIgnored(options);
    const suffix = this.pattern[this.at];
    if (suffix === '?' || suffix === '+') this.at++;
    const node = this.repeat(atom, { min, max, lazy: suffix === '?' });
    this.skipIgnored(options);
    this.refuseQuantifier();
    return suffix === '+' ? this.atomic(node) : node;
  }

  private refuseQuantifier(): void {
    if (QUANTIFIER.test(this.pattern.slice(this.at)))
      throw invalidRegex('quantifier does not follow a repeatable item');
  }

  private repeat(node: Node, { min, max, lazy }: { min: number; max: number; lazy: boolean }): Node {
    const mayMatchNothing = node.min === 0 && (node.max > 0 || node.groups.length > 0);
    if ((mayMatchNothing && (min === 0 || max > 1)) || (max > 1 && node.optionalGroups.length > 0))
      this.sameCaptures = false;
    const times =
      max === Infinity
        ? min === 0
          ? '*'
          : min === 1
            ? '+'
            : `{${min},}`
        : min === 0 && max === 1
          ? '?'
          : `{${min},${max}}`;
    if (min === 0) for (const group of node.groups) this.set.delete(group);
    return {
      parts: ['(?:', ...node.parts, `)${times}${lazy ? '?' : ''}`],
      min: node.min * min,
      max: node.max === 0 ? 0 : node.max * max,
      groups: node.groups,
      optionalGroups: min === 0 ? node.groups : node.optionalGroups,
    };
  }

  private escape(options: Options): Node {
    const { pattern } = this;
    if (this.at >= pattern.length) throw invalidRegex('\\ at end of pattern');
    const rest = pattern.slice(this.at);
    if (rest.startsWith('Q')) return this.quoted(options);
    const reference = this.referenceEscape(rest);
    if (reference !== undefined) return this.reference(reference, options);
    const character = this.take();
    switch (character) {
      case 'A':
        return this.unrepeatable(options, '^');
      case 'Z':
        return this.unrepeatable(options, '(?=\\n?$)');
      case 'z':
        return this.unrepeatable(options, '$');
      case 'b':
      case 'B':
        return this.unrepeatable(options, `\\${character}`);
      case 'R':
        return this.atomic(width(`\\r\\n|[${lineBreak}]`, 1, 2));
      case 'N':
        if (pattern[this.at] === '{') throw unsupportedRegex('\\N{}');
        return width('[^\\n]');
      case 'X':
      case 'C':
      case 'K':
      case 'G':
      case 'g':
      case 'k':
        throw unsupportedRegex(`\\${character}`);
      default: {
        const escaped = classEscape(pattern, this.at - character.length);
        this.at = escaped.at;
        if (escaped.code !== undefined) return this.literal(String.fromCodePoint(escaped.code), options);
        return width(escaped.text ?? `[${rangesText(escaped.ranges ?? [])}]`);
      }
    }
  }

  /** An assertion that PCRE does not allow to be quantified. */
  private unrepeatable(options: Options, text: string): Node {
    this.skipIgnored(options);
    this.refuseQuantifier();
    return nothing(text);
  }

  /** Parses text up to `\E`. A following quantifier applies to its last character. */
  private quoted(options: Options): Node {
    const end = this.pattern.indexOf('\\E', this.at + 1);
    const text = [...this.pattern.slice(this.at + 1, end < 0 ? undefined : end)];
    this.at = end < 0 ? this.pattern.length : end + 2;
    const nodes = text.map((character) => this.literal(character, options));
    const last = nodes.pop();
    const head = nodes.flatMap(({ parts }) => parts);
    if (!last) return nothing('');
    const tail = this.quantified(last, options);
    return {
      ...tail,
      parts: [...(head.length > 0 ? ['(?:', ...head] : ['(?:']), ...tail.parts, ')'],
      min: nodes.length + tail.min,
      max: nodes.length + tail.max,
    };
  }

  /**
   * Parses a back reference and returns its group. Returns undefined if the escape is not a back reference.
   */
  private referenceEscape(rest: string): number | undefined {
    const named = /^k(?:<(\w+)>|'(\w+)'|\{(\w+)\})|^g\{([A-Za-z_]\w*)\}/.exec(rest);
    if (named) {
      this.at += named[0].length;
      return this.groupNamed(named[1] ?? named[2] ?? named[3] ?? named[4] ?? '');
    }
    const relative = /^g(?:\{([+-]?\d+)\}|([+-]?\d+))/.exec(rest);
    if (relative) {
      this.at += relative[0].length;
      const text = relative[1] ?? relative[2] ?? '';
      if (text.startsWith('+')) throw unsupportedRegex('a back reference to a later group');
      return text.startsWith('-') ? this.groupCount + 1 + Number(text) : Number(text);
    }
    const decimal = /^[1-9]\d*/.exec(rest);
    if (!decimal) return undefined;
    const group = Number(decimal[0]);
    // A two-digit number is octal if there are fewer groups.
    if (group > 9 && !/^[89]/.test(rest) && group > this.pattern.split('(').length - 1) return undefined;
    this.at += decimal[0].length;
    return group;
  }

  private groupNamed(name: string): number {
    const group = this.names.get(name);
    if (group === undefined)
      throw unsupportedRegex('a back reference to a group that is not closed before it');
    return group;
  }

  /**
   * PCRE fails if the group is not set, but JavaScript matches the empty string. Therefore only groups that
   * are always set are supported.
   */
  private reference(group: number, { i }: Options): Node {
    if (this.inLookbehind) throw unsupportedRegex('a back reference in a lookbehind');
    if (!this.set.has(group)) throw unsupportedRegex('a back reference to a group that may not have matched');
    if (i) throw unsupportedRegex('a back reference that ignores case');
    this.sawReference = true;
    return {
      ...nothing(''),
      parts: [{ reference: group }],
      min: this.leastWidths.get(group) ?? 0,
      max: Infinity,
    };
  }
}

const optionOf = (letter: string): keyof Options => {
  if (letter === 'i' || letter === 'm' || letter === 's' || letter === 'x') return letter;
  throw unsupportedRegex(`(?${letter})`);
};

const boundsOf = ([text, least, comma, most]: RegExpExecArray): [number, number] => {
  if (least !== undefined) {
    const min = Number(least);
    return [min, comma === undefined ? min : most === '' || most === undefined ? Infinity : Number(most)];
  }
  return text.startsWith('?') ? [0, 1] : [text.startsWith('+') ? 1 : 0, Infinity];
};

/**
 * Translates a pattern with MongoDB's options. Throws 51091 if it is invalid, and 115 if it has no
 * equivalent.
 */
export const translatePattern = (pattern: string, flags: string): Translation =>
  new Translator(pattern.replace(/^\(\*UTF8?\)/, ''), {
    i: flags.includes('i'),
    m: flags.includes('m'),
    s: flags.includes('s'),
    x: flags.includes('x'),
  }).translate();
