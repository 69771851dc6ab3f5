import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { createRedactor, withoutQuotations } from '../../src/logging/index.js';
import { GoalMessage } from '../../src/responder/goal/goal-reading.js';
import { goalTemplate } from '../../src/responder/goal/goal-template.js';
import { PhraseMatcher, wordsIn } from '../../src/responder/goal/phrase-matcher.js';
import { StepCounter } from '../support/regexp-steps.js';

const SIZE = 600;

/** Modules whose patterns read only what operators configure, or what a command-line program is given. */
const ownInput = /^src\/(config|cli|bootstrap|database\/connection\.ts)/;

const sources = (): string[] =>
  readdirSync('src', { recursive: true, encoding: 'utf8' })
    .map((name) => join('src', name))
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.spec.ts') && !ownInput.test(name));

/** Every pattern that is written as a literal in a file. */
function literalsIn(file: string): [string, RegExp][] {
  const found: [string, RegExp][] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isRegularExpressionLiteral(node)) {
      const end = node.text.lastIndexOf('/');
      found.push([`${file} ${node.text}`, new RegExp(node.text.slice(1, end), node.text.slice(end + 1))]);
    }
    node.forEachChild(visit);
  };
  visit(ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest));
  return found;
}

/** Every pattern that modules build from parts when they are loaded. */
async function builtPatterns(): Promise<[string, RegExp][]> {
  const found: [string, RegExp][] = [];
  const original = globalThis.RegExp;
  globalThis.RegExp = new Proxy(original, {
    construct(target, [source, flags]: [string | RegExp, string?]) {
      const pattern = new target(source, flags);
      found.push([`built ${pattern.source.slice(0, 80)}`, pattern]);
      return pattern;
    },
  });
  try {
    await jest.isolateModulesAsync(async () => {
      await import('../../src/responder/goal/read-date.js');
      await import('../../src/responder/goal/read-time.js');
      await import('../../src/responder/goal/read-value.js');
      await import('../../src/search/embedding/words.js');
      await import('../../src/http/validation.js');
      await import('../../src/http/pagination.js');
    });
  } finally {
    globalThis.RegExp = original;
  }
  return found;
}

/** Texts on which a text twice as long takes more than about twice as many steps. */
function slowTexts(pattern: RegExp, size = SIZE): string[] {
  const counter = new StepCounter(pattern);
  const long = counter.attacks(2 * size);
  const slow: string[] = [];
  for (const text of counter.attacks(size)) {
    const twice = long.next();
    if (twice.done) break;
    const [steps, more] = [counter.count(text), counter.count(twice.value)];
    if (more > 2.5 * steps + 100) slow.push(`${JSON.stringify(text.slice(0, 30))}…: ${steps}, ${more}`);
  }
  return slow;
}

const read = (slots: readonly object[], content: string): object =>
  new GoalMessage(content, { year: 2026, month: 5, day: 13 }).readSlots(
    goalTemplate.parse({ type: 'g', triggers: ['go'], slots, completion: 'done' }).slots,
  );

describe('work on texts', () => {
  it('recognizes patterns that take a quadratic number of steps', () => {
    for (const pattern of [
      /("|\.\.\.")[\s\S]*("|"\.\.\.) is not valid JSON/g,
      /\(`[\s\S]*?`\)/g,
      /a+$/,
      /(?:a|b)*c/,
    ])
      expect([pattern, slowTexts(pattern, 100).length]).not.toEqual([pattern, 0]);
    for (const pattern of [/^a+$/, /a+/g, /"[^"]*"/g])
      expect([pattern, slowTexts(pattern)]).toEqual([pattern, []]);
  });

  it('is linear in the length of the text for every pattern', async () => {
    const patterns = [...sources().flatMap(literalsIn), ...(await builtPatterns())];
    const slow = patterns.flatMap(([name, pattern]) =>
      slowTexts(pattern)
        .slice(0, 1)
        .map((text) => `${name} on ${text}`),
    );
    expect(slow).toEqual([]);
    expect(patterns.length).toBeGreaterThan(80);
  });

  it('is linear for the options and triggers of a goal template, however many and alike they are', () => {
    const options = Array.from({ length: 1500 }, (_, n) => `${'a '.repeat(48)}tag${n}`);
    const matcher = new PhraseMatcher(options);
    const stepsFor = (words: number): number => {
      let steps = 0;
      const text = wordsIn('a '.repeat(words));
      expect(matcher.preferredIn(text, () => steps++)).toBeUndefined();
      expect(matcher.firstIn(text, () => steps++)).toBe(-1);
      return steps;
    };
    expect(stepsFor(2048)).toBeLessThanOrEqual(2 * stepsFor(1024) + 200);
    expect(stepsFor(2048)).toBeLessThanOrEqual(4 * 2048);
  });

  it('still finds what it has to', () => {
    const option = (slot: number, place: number): string => `${'a '.repeat(10)}${slot * 50 + place}`;
    const slots = Array.from({ length: 30 }, (_, slot) => ({
      name: `s${slot}`,
      kind: 'choice',
      prompt: '?',
      options: Array.from({ length: 50 }, (_, place) => option(slot, place)),
    }));
    const content = `go ${'a '.repeat(500)} ${option(3, 7)} and ${option(20, 1)}`;
    expect(read(slots, content)).toEqual({ s3: option(3, 7), s20: option(20, 1) });
  });

  it('cuts texts before they are searched for quotations, and hides what the cut text quotes', () => {
    for (const text of ['"'.repeat(200_000), `reply.metadata.${'`'.repeat(200_000)}`, '(`'.repeat(100_000)])
      expect(withoutQuotations(text).length).toBeLessThan(100);
    expect(withoutQuotations(`said "${'what Ann wrote '.repeat(2000)}" is not valid JSON`)).not.toContain(
      'Ann',
    );
    expect(withoutQuotations('x'.repeat(200_000)).length).toBeLessThan(17_000);
    expect(createRedactor()(`${'a://'.repeat(5000)}ann:secret@host`)).toMatch(/^a:\/\/\[redacted\]@host$/);
  });
});
