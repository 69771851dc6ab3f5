import { type AST, RegExpParser } from '@eslint-community/regexpp';

/** Calls `next` with the position after a match; returns whether the rest matched too. */
type Matcher = (at: number, next: (at: number) => boolean) => boolean;

const isOneCharacter = (node: AST.Element): boolean =>
  node.type === 'Character' ||
  node.type === 'CharacterSet' ||
  node.type === 'CharacterClass' ||
  node.type === 'ExpressionCharacterClass';

/** Longest text that a lookbehind of this project may match. */
const MAX_LOOKBEHIND = 3;

/** Counts the steps of a backtracking matcher for one pattern, as a measure that does not depend on time. */
export class StepCounter {
  private readonly root: AST.Pattern;
  private readonly flags: string;
  private readonly isGlobal: boolean;
  private readonly tests = new Map<string, (character: string) => boolean>();
  private text: string[] = [];
  private steps = 0;

  constructor({ source, flags }: RegExp) {
    const mode = { unicode: flags.includes('u'), unicodeSets: flags.includes('v') };
    this.root = new RegExpParser().parsePattern(source, 0, source.length, mode);
    this.flags = flags.replace(/[gyd]/g, '');
    this.isGlobal = flags.includes('g');
  }

  /** The number of steps until all matches are found (with the flag g), or the first. */
  count(text: string): number {
    this.text = /[uv]/.test(this.flags) ? Array.from(text) : text.split('');
    this.steps = 0;
    const match = this.any(this.root.alternatives);
    let at = 0;
    while (at <= this.text.length) {
      let end = -1;
      const isFound = match(at, (position) => {
        end = position;
        return true;
      });
      if (isFound && !this.isGlobal) break;
      at = isFound && end > at ? end : at + 1;
    }
    return this.steps;
  }

  /** Texts of about `size` characters on which a pattern like this one may take long. */
  *attacks(size: number): Generator<string> {
    for (const { before, element } of this.repetitions(this.root.alternatives, '')) {
      const pumps = [element, before + element, before].filter((pump) => pump !== '');
      for (const pump of pumps)
        for (const breaker of ['', '\n', '!', '"'])
          yield before + pump.repeat(Math.ceil(size / pump.length)) + breaker;
    }
  }

  private *repetitions(
    alternatives: readonly AST.Alternative[],
    outer: string,
  ): Generator<{ before: string; element: string }> {
    for (const { elements } of alternatives) {
      let before = outer;
      for (const node of elements) {
        const inner = node.type === 'Quantifier' ? node.element : node;
        if (node.type === 'Quantifier') yield { before, element: this.sample(node.element) };
        if (inner.type === 'Group' || inner.type === 'CapturingGroup')
          yield* this.repetitions(inner.alternatives, before);
        before += this.sample(node);
      }
      yield { before: '', element: before };
    }
  }

  /** A short text that the node matches. */
  private sample(node: AST.Element): string {
    if (node.type === 'Quantifier') return this.sample(node.element).repeat(Math.max(1, node.min));
    if (node.type === 'Group' || node.type === 'CapturingGroup')
      return (node.alternatives[0]?.elements ?? []).map((one) => this.sample(one)).join('');
    if (node.type === 'Character') return String.fromCodePoint(node.value);
    if (!isOneCharacter(node)) return '';
    return (
      Array.from('a0 -_."\'`@:/?={\n\u0301\u0001').find((character) => this.isMatch(node, character)) ?? ''
    );
  }

  private isMatch(node: AST.Element, character: string): boolean {
    let test = this.tests.get(node.raw);
    if (!test) {
      const pattern = new RegExp(`^(?:${node.raw})$`, `${this.flags.replace('m', '')}`);
      const known = new Map<string, boolean>();
      test = (text) => {
        const is = known.get(text) ?? pattern.test(text);
        known.set(text, is);
        return is;
      };
      this.tests.set(node.raw, test);
    }
    return test(character);
  }

  private any(alternatives: readonly AST.Alternative[]): Matcher {
    const matchers = alternatives.map(({ elements }) => this.sequence(elements));
    return (at, next) => matchers.some((matcher) => matcher(at, next));
  }

  private sequence(elements: readonly AST.Element[]): Matcher {
    return elements
      .map((element) => this.matcher(element))
      .reduceRight<Matcher>(
        (rest, first) => (at, next) => first(at, (position) => rest(position, next)),
        (at, next) => next(at),
      );
  }

  private matcher(node: AST.Element): Matcher {
    switch (node.type) {
      case 'Group':
      case 'CapturingGroup':
        return this.any(node.alternatives);
      case 'Quantifier':
        return isOneCharacter(node.element) ? this.run(node) : this.repeated(node);
      case 'Assertion':
        return this.assertion(node);
      case 'Backreference':
        throw new Error('back references are not supported');
      default:
        return (at, next) => this.isAt(node, at) && next(at + 1);
    }
  }

  private isAt(node: AST.Element, at: number): boolean {
    this.steps++;
    const character = this.text[at];
    return character !== undefined && this.isMatch(node, character);
  }

  /** A repeated character, without recursion. */
  private run({ element, min, max, greedy }: AST.Quantifier): Matcher {
    return (at, next) => {
      let end = at;
      while (end - at < min) if (!this.isAt(element, end++)) return false;
      if (!greedy) {
        while (!next(end)) if (end - at >= max || !this.isAt(element, end++)) return false;
        return true;
      }
      while (end - at < max && this.isAt(element, end)) end++;
      for (; end - at >= min; end--) {
        this.steps++;
        if (next(end)) return true;
      }
      return false;
    };
  }

  private repeated({ element, min, max, greedy }: AST.Quantifier): Matcher {
    const once = this.matcher(element);
    const from =
      (count: number): Matcher =>
      (at, next) => {
        this.steps++;
        const more = (): boolean =>
          count < max && once(at, (end) => (end > at || count < min) && from(count + 1)(end, next));
        const enough = (): boolean => count >= min && next(at);
        return greedy ? more() || enough() : enough() || more();
      };
    return from(0);
  }

  private assertion(node: AST.Assertion): Matcher {
    const holds = this.condition(node);
    return (at, next) => {
      this.steps++;
      return holds(at) && next(at);
    };
  }

  private condition(node: AST.Assertion): (at: number) => boolean {
    const isWord = (at: number): boolean => /^\w$/.test(this.text[at] ?? '');
    switch (node.kind) {
      case 'start':
        return (at) => at === 0;
      case 'end':
        return (at) => at === this.text.length;
      case 'word':
        return (at) => (isWord(at - 1) !== isWord(at)) !== node.negate;
      case 'lookahead': {
        const match = this.any(node.alternatives);
        return (at) => match(at, () => true) !== node.negate;
      }
      case 'lookbehind': {
        const match = this.any(node.alternatives);
        const isBefore = (at: number): boolean => {
          for (let from = at; from >= Math.max(0, at - MAX_LOOKBEHIND); from--)
            if (match(from, (end) => end === at)) return true;
          return false;
        };
        return (at) => isBefore(at) !== node.negate;
      }
    }
  }
}
