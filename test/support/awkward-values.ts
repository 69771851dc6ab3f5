import fc from 'fast-check';
import {
  awkwardKeys,
  characters,
  controls,
  exactNumbers,
  inexactNumbers,
  LONE_SURROGATE,
  refusedKeys,
  wholeTexts,
} from './awkward-words.js';

/**
 * Generators of what clients might send: JSON and texts that a parser, a database or a library might change.
 * JSON values are generated as the text that is sent, because some of them, such as -0 or a repeated key,
 * have no representation of their own in JavaScript.
 */

const measures = {
  units: (text: string) => text.length,
  points: (text: string) => [...text].length,
  bytes: (text: string) => Buffer.byteLength(text),
};

/** Texts one below, at and one above a limit, whether it counts code units, code points or bytes. */
const nearLimit = (limit: number): fc.Arbitrary<string> =>
  fc
    .tuple(
      fc.constantFrom('x', 'é', '한', '😀', 'e\u0301', '\n'),
      fc.constantFrom<keyof typeof measures>('units', 'points', 'bytes'),
      fc.constantFrom(-1, 0, 1),
    )
    .map(([character, measure, more]) => {
      const size = measures[measure](character);
      return character.repeat((limit + more) / size) + 'x'.repeat((limit + more) % size);
    });

// Made once, because that takes a while.
const graphemes = fc.string({ unit: 'grapheme', maxLength: 30 });
const codePoints = fc.string({ unit: 'binary', maxLength: 30 });

/** Texts, mostly short; some have the length of one of the limits. */
export const awkwardText = (...limits: readonly number[]): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...wholeTexts) },
    {
      weight: 4,
      arbitrary: fc
        .array(fc.constantFrom(...characters), { minLength: 1, maxLength: 12 })
        .map((all) => all.join('')),
    },
    {
      weight: 2,
      arbitrary: fc
        .array(fc.constantFrom(...characters, ...controls), { minLength: 1, maxLength: 6 })
        .map((all) => all.join('')),
    },
    { weight: 2, arbitrary: graphemes },
    { weight: 1, arbitrary: codePoints },
    // Code units of all kinds: nearly every text has half of a surrogate pair.
    {
      weight: 1,
      arbitrary: fc
        .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 10 })
        .map((codes) => String.fromCharCode(...codes)),
    },
    ...limits.map((limit) => ({ weight: 2, arbitrary: nearLimit(limit) })),
  );

/** True if a JSON text has a number that cannot be kept, so that nothing may accept it. */
export const hasInexactNumber = (json: string): boolean =>
  inexactNumbers.some((number) => new RegExp(`[[:,]${number}[\\],}]|^${number}$`).test(json));

const numberText = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...exactNumbers) },
  { weight: 1, arbitrary: fc.maxSafeInteger().map(String) },
  {
    weight: 2,
    arbitrary: fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
  },
  {
    weight: 1,
    arbitrary: fc
      .double({ noNaN: true, noDefaultInfinity: true, noInteger: true })
      .map((value) => value.toPrecision(17)),
  },
);

const quoted = (text: string): string => JSON.stringify(text);

const wellFormed = (text: string): string => text.replace(/\p{Surrogate}/gu, '\ufffd');

interface Kinds {
  value: string;
  object: string;
}

/** @param spoilt generates what has to be refused, in any place; without it, everything can be accepted */
const jsonValues = (
  spoilt?: fc.Arbitrary<string>,
  spoiltKeys: readonly string[] = [],
): fc.Arbitrary<string> =>
  fc.letrec<Kinds>((tie: fc.LetrecTypedTie<Kinds>) => ({
    value: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      {
        weight: 2,
        arbitrary: fc.constantFrom('null', 'true', 'false', '{}', '[]', '""', '[null]', '{"a":null}'),
      },
      { weight: 3, arbitrary: numberText },
      { weight: 3, arbitrary: awkwardText().map(wellFormed).map(quoted) },
      { weight: 1, arbitrary: fc.date({ noInvalidDate: true }).map((date) => quoted(date.toISOString())) },
      ...(spoilt ? [{ weight: 1, arbitrary: spoilt }] : []),
      { weight: 2, arbitrary: fc.array(tie('value'), { maxLength: 4 }).map((all) => `[${all.join(',')}]`) },
      { weight: 4, arbitrary: tie('object') },
    ),
    object: fc
      .uniqueArray(
        fc.tuple(
          fc.oneof(
            { weight: 6, arbitrary: fc.constantFrom(...awkwardKeys, ...spoiltKeys) },
            {
              weight: 1,
              arbitrary: graphemes.filter((key) => !key.startsWith('$') && key !== '__proto__'),
            },
          ),
          tie('value'),
        ),
        { maxLength: 6, selector: ([key]) => key },
      )
      .map((members) => `{${members.map(([key, value]) => `${quoted(key)}:${value}`).join(',')}}`),
  })).object;

/** Texts of JSON objects that can be kept. */
export const plainJson = jsonValues();

/** Complete JSON texts at the limits of the parser, or beyond them. */
const extremes = (maxBytes: number): string[] => [
  ...[
    'null',
    '[]',
    '"x"',
    '1',
    '{"a":1,"a":2}',
    '{"a":1,"\\u0061":1}',
    '{"a":01}',
    '{"a":+1}',
    '{"a":"\t"}',
    '{',
  ],
  ...['{"\\u005f_proto__":1}', '{"a":{"__proto__":{"b":1}}}', '{"a":"\\ud83d"}', '{"a":"\\ud83d\\ude00"}'],
  ...[11, 12, 13, 63, 65].map((depth) => '{"a":'.repeat(depth) + '1' + '}'.repeat(depth)),
  ...[-1, 0, 1].map((more) => `{"a":"${'x'.repeat(maxBytes + more - 8)}"}`),
  ...[-2, 0, 2].map((more) => `{"a":"${'é'.repeat((maxBytes + more - 8) / 2)}"}`),
  `{"a":[${'0,'.repeat(1500)}0]}`,
  `{"a":"${'\\u0001'.repeat(500)}"}`,
];

/** The text of a JSON object, or of something else instead, for a field of at most `maxBytes`. */
export const awkwardJson = (maxBytes: number): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 8, arbitrary: plainJson },
    {
      weight: 2,
      arbitrary: jsonValues(
        fc.constantFrom(...inexactNumbers, '"\\ud83d"', '"\\ude00\\ud83d"', '{"a":1,"a":2}'),
        refusedKeys,
      ),
    },
    { weight: 2, arbitrary: fc.constantFrom(...extremes(maxBytes)) },
  );

/** The text of a number, or of something else that is sent instead. */
export const awkwardNumber: fc.Arbitrary<string> = fc.oneof(
  { weight: 3, arbitrary: fc.nat({ max: 300 }).map(String) },
  { weight: 2, arbitrary: numberText },
  { weight: 1, arbitrary: fc.constantFrom(...inexactNumbers, '"1"', 'true', '[]', '{}') },
);

const texts = (arbitrary: fc.Arbitrary<string>): fc.Arbitrary<string> => arbitrary.map(quoted);

/** The text of a JSON string, rarely of another value. */
export const awkwardString = (...limits: readonly number[]): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 12, arbitrary: texts(awkwardText(...limits)) },
    { weight: 1, arbitrary: fc.constantFrom('1', 'true', '[]', '{}', '["a"]', '{"$gt":""}') },
  );

/** Mostly what matches the pattern, otherwise any text. */
export const awkwardWord = (pattern: RegExp, ...limits: readonly number[]): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 2, arbitrary: texts(fc.stringMatching(pattern)) },
    { weight: 1, arbitrary: awkwardString(...limits) },
  );

export const awkwardInstant: fc.Arbitrary<string> = fc.oneof(
  { weight: 3, arbitrary: texts(fc.date({ noInvalidDate: true }).map((date) => date.toISOString())) },
  {
    weight: 2,
    arbitrary: texts(
      fc.constantFrom(
        ...['2025-03-01T09:30:00Z', '2025-03-01T09:30:00.5Z', '2025-03-01T09:30:00.123456789+05:30'],
        ...[
          '0000-01-01T00:00:00+23:59',
          '9999-12-31T23:59:59.999-23:59',
          '2024-02-29T00:00:00Z',
          '2025-02-29T00:00:00Z',
        ],
        ...['2025-03-01', '2025-03-01T24:00:00Z', '2025-03-01T23:59:60Z', '+012025-03-01T00:00:00Z'],
      ),
    ),
  },
  { weight: 1, arbitrary: awkwardString() },
);

const urlParts = [
  'a',
  'é',
  '한',
  '😀',
  '%20',
  '%',
  ' ',
  '\t',
  '\n',
  '?',
  '#',
  '/',
  '\\',
  '@',
  ':',
  '..',
  '\0',
  LONE_SURROGATE,
];

export const awkwardUrl: fc.Arbitrary<string> = fc.oneof(
  {
    weight: 3,
    arbitrary: texts(
      fc
        .tuple(
          fc.constantFrom(
            'https://cdn.example.com/',
            'HTTP://EXAMPLE.com',
            'http://例え.jp/',
            'gs://bucket/',
            'tel:+49',
            'http:a',
          ),
          fc.array(fc.constantFrom(...urlParts), { maxLength: 5 }),
        )
        .map(([start, parts]) => start + parts.join('')),
    ),
  },
  {
    weight: 1,
    arbitrary: texts(
      fc.constantFrom(
        ...[
          ' https://a.example/',
          'https://a.example/ ',
          'https://a.exa\nmple/',
          'https://a.example/\r',
          'java\tscript:x',
        ],
        ...[
          'javascript:x',
          ' data:,x',
          '\x01data:,x',
          'FILE:///x',
          `https://a.example/${'x'.repeat(2030)}`,
          '//a.example/',
        ],
      ),
    ),
  },
  { weight: 1, arbitrary: awkwardString(2048) },
);

/** What a client may have made of the cursor of another page. */
export const awkwardCursor: fc.Arbitrary<string> = fc.oneof(
  fc
    .oneof(
      awkwardText(),
      fc.stringMatching(/^-?[0-9a-z]{1,13}\.[0-9a-f]{24}$/),
      fc.stringMatching(/^(after|before)\.\d{1,16}$/),
      awkwardText().map((text) => `text.${text}`),
      fc.stringMatching(/^[0-9a-f]{24}$/),
    )
    .map((text) => Buffer.from(text).toString('base64url')),
  awkwardText(128, 200, 1000),
);
