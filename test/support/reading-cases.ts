import type { Language } from '../../src/responder/goal/number-data.js';

/**
 * Rows for `it.each` from cases by language: "said = value", separated by "|". A value of "-" means that nothing is
 * read.
 */
export const readingCases = (
  cases: Readonly<Partial<Record<Language, string>>>,
): (readonly [language: Language, content: string, expected: string])[] =>
  Object.entries(cases).flatMap(([language, list]) =>
    list.split('|').map((item) => {
      const [content = '', expected = ''] = item.split(' = ');
      return [language as Language, content.trim(), expected.trim()] as const;
    }),
  );
