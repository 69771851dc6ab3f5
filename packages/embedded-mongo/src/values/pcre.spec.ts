import { BSONRegExp } from 'bson';
import { compileRegex } from './regex.js';

const match = (pattern: string, text: string, options = ''): string | null =>
  compileRegex(new BSONRegExp(pattern, options)).regExp.exec(text)?.[0] ?? null;

/** Verified with PCRE2 10.42, the version in MongoDB 8. */
describe('PCRE patterns match as in MongoDB', () => {
  it.each<[pattern: string, options: string, text: string, expected: string | null]>([
    // Quotation
    ['\\Qa.b*\\E', '', 'a.b*', 'a.b*'],
    ['\\Qa.b\\E', '', 'axb', null],
    ['\\Qab\\E+', '', 'abbb', 'abbb'],
    ['x\\E+', '', 'xx', 'xx'],
    ['[\\Qa-z\\E]', '', 'm', null],
    ['\\Qa b', 'x', 'a b', 'a b'],
    // Possessive quantifiers and atomic groups
    ['a++b', '', 'aab', 'aab'],
    ['a++ab', '', 'aaab', null],
    ['a?+a', '', 'a', null],
    ['a{1,2}+a', '', 'aa', null],
    ['(?>a|ab)c', '', 'abc', null],
    ['(x)(?>(a)|b)\\1', '', 'xbx', 'xbx'],
    // Escapes
    ['^\\R$', '', '\r\n', '\r\n'],
    ['\\R\\n', '', '\r\n', null],
    ['a\\Nb', 's', 'a\nb', null],
    ['\\h+', '', ' \t\u00a0x', ' \t\u00a0'],
    ['\\v', '', '\u2028', '\u2028'],
    ['^\\V+$', '', 'a\u0085', null],
    ['^\\s$', '', '\u00a0', null],
    ['\\x{e9}\\x41\\101\\07\\e', '', 'éAA\x07\x1b', 'éAA\x07\x1b'],
    ['^\\cA$', '', '\x01', '\x01'],
    ['\\A\\Qx\\E\\z', '', 'x\n', null],
    ['x\\Z', '', 'x\n', 'x'],
    ['\\p{Greek}\\pN\\P{L}', '', 'α1-', 'α1-'],
    // Lines and dots
    ['a$', '', 'a\n', 'a'],
    ['a$', '', 'a\n\n', null],
    ['^b', 'm', 'a\nb', 'b'],
    ['^', 'm', '\n', ''],
    ['a.b', '', 'a\u2028b', 'a\u2028b'],
    ['a.b', '', 'a\rb', 'a\rb'],
    // Options within the pattern
    ['(?i:A)b', '', 'ab', 'ab'],
    ['(?i:A)b', '', 'aB', null],
    ['a(?i)b', '', 'aB', 'aB'],
    ['a(?i)b', '', 'AB', null],
    ['(a(?i)b|c)d', '', 'CD', null],
    ['(a(?i)b|c)d', '', 'Cd', 'Cd'],
    ['(?-i:a)b', 'i', 'aB', 'aB'],
    ['(?-i:a)b', 'i', 'AB', null],
    ['(?^:a)b', 'i', 'AB', null],
    ['(?x: a b )c d', '', 'abc d', 'abc d'],
    ['a + #comment\nb', 'x', 'aab', 'aab'],
    ['(?s:a.)b.', '', 'a\nb\n', null],
    // Classes
    ['[]a]+', '', ']a', ']a'],
    ['[^]a]', '', 'b', 'b'],
    ['[[:alpha:]_]+', '', 'aé_', 'a'],
    ['[[:^digit:]]', '', '1', null],
    ['[[:upper:]]', 'i', 'a', 'a'],
    ['[\\w.-]+', '', 'a.b-c', 'a.b-c'],
    ['[а-я]+', 'i', 'ДА', 'ДА'],
    ['[^k]', 'i', 'K', null],
    ['\\W', 'i', 'k', null],
    ['straße', 'i', 'STRAẞE', 'STRAẞE'],
    // Groups
    ['(?P<n>a)(?P=n)\\k{n}\\g{-1}', '', 'aaaa', 'aaaa'],
    ['(\\w)\\1+', '', 'abbb', 'bbb'],
    ['(?#a comment)a', '', 'a', 'a'],
    ['a{,x}{2}', '', 'a{,x}}', 'a{,x}}'],
    ['(?<=ab|c)d', '', 'cd', 'd'],
  ])('/%s/%s on %j', (pattern, options, text, expected) => {
    expect(match(pattern, text, options)).toBe(expected);
  });

  it.each<[pattern: string, code: number]>([
    ['a**', 51091],
    ['^*', 51091],
    ['*a', 51091],
    ['(a', 51091],
    ['a)', 51091],
    ['[a', 51091],
    ['[z-a]', 51091],
    ['[\\w-z]', 51091],
    ['[[:nope:]]', 51091],
    ['\\u00e9', 51091],
    ['\\y', 51091],
    ['(?<=a+)b', 51091],
    ['a{3,2}', 51091],
    ['(?|(a)|(b))', 115],
    ['(?(1)a|b)', 115],
    ['a(?R)?b', 115],
    ['(*UCP)\\w', 115],
    ['\\X', 115],
    ['a\\Kb', 115],
    ['(?:(a)|b)\\1', 115],
    ['(?<n>a\\k<n>)', 115],
    ['(a*)*\\1', 115],
  ])('/%s/ is refused', (pattern, code) => {
    expect(() => match(pattern, '')).toThrow(expect.objectContaining({ code }));
  });

  it('returns the capture groups of the original pattern only', () => {
    const { regExp, groups, sameCaptures } = compileRegex(new BSONRegExp('(a)\\R?+(?>(b)|c)(d)'));
    const found = regExp.exec('a\nbd');
    expect(groups.map((group) => found?.[group])).toEqual(['a', 'b', 'd']);
    expect(sameCaptures).toBe(true);
    expect(compileRegex(new BSONRegExp('(?:(a)|b)*')).sameCaptures).toBe(false);
  });
});
