import { foldWords } from './folded-text.js';

/** A word of a folded text, with its range. */
export interface Word {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** The words of a folded text: runs of letters and digits. */
export const wordsIn = (folded: string): Word[] =>
  [...folded.matchAll(/[\p{L}\p{N}]+/gu)].map(({ 0: text, index }) => ({
    text,
    start: index,
    end: index + text.length,
  }));

/** A phrase found in a text. */
export interface FoundPhrase {
  readonly phrase: string;
  /** Positions of its first and last word in the text. */
  readonly first: number;
  readonly last: number;
}

interface Node {
  readonly next: Map<string, Node>;
  /** Number of words from the root. */
  readonly depth: number;
  /** The node of the longest proper suffix that is in the tree. */
  suffix: Node | undefined;
  /** Index of the preferred phrase that ends here, and the number of its words; -1 if none does. */
  preferred: number;
  preferredWords: number;
  /** Number of words of the longest phrase that ends here; 0 if none does. */
  longestWords: number;
}

const newNode = (depth: number): Node => ({
  next: new Map(),
  depth,
  suffix: undefined,
  preferred: -1,
  preferredWords: 0,
  longestWords: 0,
});

/** Counts the steps of a search, for tests. */
export type StepCounter = () => void;

const uncounted: StepCounter = () => undefined;

/**
 * Finds phrases in a text as whole words, ignoring case, diacritics and punctuation. All phrases are searched
 * for together (Aho-Corasick, with words in place of letters), so a search takes a number of steps
 * proportional to the words of the text, however many phrases there are and however much they have in common.
 */
export class PhraseMatcher {
  private readonly root = newNode(0);
  private readonly folded = new Set<string>();

  /** @param phrases in order of preference */
  constructor(private readonly phrases: readonly string[]) {
    phrases.forEach((phrase, index) => {
      this.add(foldWords(phrase), index);
    });
    this.link();
  }

  /** True if one of the phrases has exactly these words, separated by single spaces. */
  has(words: string): boolean {
    return this.folded.has(words);
  }

  /** Returns the preferred phrase among those that occur, at its first occurrence. */
  preferredIn(words: readonly Word[], step: StepCounter = uncounted): FoundPhrase | undefined {
    let found: { index: number; last: number; length: number } | undefined;
    this.search(words, step, ({ preferred, preferredWords }, last) => {
      if (preferred >= 0 && preferred < (found?.index ?? Infinity))
        found = { index: preferred, last, length: preferredWords };
    });
    const phrase = found && this.phrases[found.index];
    return found && phrase !== undefined
      ? { phrase, first: found.last - found.length + 1, last: found.last }
      : undefined;
  }

  /** Returns the position of the first word at which a phrase occurs, or -1. */
  firstIn(words: readonly Word[], step: StepCounter = uncounted): number {
    let first = -1;
    this.search(words, step, ({ longestWords }, last) => {
      const start = last - longestWords + 1;
      if (longestWords > 0 && (first < 0 || start < first)) first = start;
    });
    return first;
  }

  private search(
    words: readonly Word[],
    step: StepCounter,
    visit: (node: Node, position: number) => void,
  ): void {
    let node = this.root;
    words.forEach(({ text }, position) => {
      node = this.follow(node, text, step);
      visit(node, position);
    });
  }

  /** The node of the longest suffix of what was read, followed by `word`. */
  private follow(from: Node, word: string, step: StepCounter): Node {
    let node: Node | undefined = from;
    for (; node; node = node.suffix) {
      step();
      const next = node.next.get(word);
      if (next) return next;
    }
    return this.root;
  }

  private add(words: string, index: number): void {
    if (words === '') return;
    this.folded.add(words);
    let node = this.root;
    for (const word of words.split(' ')) {
      let next = node.next.get(word);
      if (!next) {
        next = newNode(node.depth + 1);
        node.next.set(word, next);
      }
      node = next;
    }
    node.longestWords = node.depth;
    // Of phrases with the same words, the first is preferred.
    if (node.preferred >= 0) return;
    node.preferred = index;
    node.preferredWords = node.depth;
  }

  /** Links each node to its suffix, breadth first, and passes on the phrases that end there. */
  private link(): void {
    const queue: Node[] = [this.root];
    for (const node of queue)
      for (const [word, next] of node.next) {
        const suffix = node.suffix ? this.follow(node.suffix, word, uncounted) : this.root;
        next.suffix = suffix;
        if (next.longestWords === 0) next.longestWords = suffix.longestWords;
        if (suffix.preferred >= 0 && (next.preferred < 0 || suffix.preferred < next.preferred)) {
          next.preferred = suffix.preferred;
          next.preferredWords = suffix.preferredWords;
        }
        queue.push(next);
      }
  }
}

/** By list of phrases, for as long as the settings that contain it are in use. */
const matchers = new WeakMap<readonly string[], PhraseMatcher>();

/** Returns the matcher of a list that does not change; it is created once. The first phrase is preferred. */
export function matcherOf(phrases: readonly string[]): PhraseMatcher {
  const known = matchers.get(phrases);
  if (known) return known;
  const matcher = new PhraseMatcher(phrases);
  matchers.set(phrases, matcher);
  return matcher;
}

const choices = new WeakMap<readonly string[], PhraseMatcher>();

/** Like `matcherOf`, but the longest phrase is preferred. */
export function choiceMatcherOf(options: readonly string[]): PhraseMatcher {
  const known = choices.get(options);
  if (known) return known;
  const matcher = new PhraseMatcher([...options].sort((a, b) => b.length - a.length));
  choices.set(options, matcher);
  return matcher;
}
