const VOWEL = 'aeiouy';
const DOUBLES = ['bb', 'dd', 'ff', 'gg', 'mm', 'nn', 'pp', 'rr', 'tt'];

/** Words whose stem the rules would get wrong. */
const irregular = new Map([
  ['skis', 'ski'],
  ['skies', 'sky'],
  ['dying', 'die'],
  ['lying', 'lie'],
  ['tying', 'tie'],
  ['idly', 'idl'],
  ['gently', 'gentl'],
  ['ugly', 'ugli'],
  ['early', 'earli'],
  ['only', 'onli'],
  ['singly', 'singl'],
  ...['sky', 'news', 'howe', 'atlas', 'cosmos', 'bias', 'andes'].map((word): [string, string] => [
    word,
    word,
  ]),
]);

/** Words that are left alone once their plural is taken off. */
const untouched = new Set([
  'inning',
  'outing',
  'canning',
  'herring',
  'earring',
  'proceed',
  'exceed',
  'succeed',
]);

type Rule = readonly [suffix: string, replacement: string];

/** Longer suffixes first, where one ends with another. */
const bySuffixLength = (rules: readonly Rule[]): Rule[] => [...rules].sort(([a], [b]) => b.length - a.length);

const derivations = bySuffixLength([
  ['tional', 'tion'],
  ['enci', 'ence'],
  ['anci', 'ance'],
  ['abli', 'able'],
  ['entli', 'ent'],
  ['izer', 'ize'],
  ['ization', 'ize'],
  ['ational', 'ate'],
  ['ation', 'ate'],
  ['ator', 'ate'],
  ['alism', 'al'],
  ['aliti', 'al'],
  ['alli', 'al'],
  ['fulness', 'ful'],
  ['ousli', 'ous'],
  ['ousness', 'ous'],
  ['iveness', 'ive'],
  ['iviti', 'ive'],
  ['biliti', 'ble'],
  ['bli', 'ble'],
  ['ogi', 'og'],
  ['fulli', 'ful'],
  ['lessli', 'less'],
  ['li', ''],
]);

const endings = bySuffixLength([
  ['tional', 'tion'],
  ['ational', 'ate'],
  ['alize', 'al'],
  ['icate', 'ic'],
  ['iciti', 'ic'],
  ['ical', 'ic'],
  ['ful', ''],
  ['ness', ''],
  ['ative', ''],
]);

const removable = bySuffixLength(
  'al ance ence er ic able ible ant ement ment ent ism ate iti ous ive ize ion'
    .split(' ')
    .map((suffix): Rule => [suffix, '']),
);

const isVowel = (letter: string | undefined): boolean =>
  letter !== undefined && letter !== '' && VOWEL.includes(letter);

const hasVowel = (text: string): boolean => [...text].some(isVowel);

/** Where the part after the first consonant that follows a vowel begins. */
const regionAfter = (word: string, from: number): number => {
  for (let i = from + 1; i < word.length; i++) {
    if (!isVowel(word[i]) && isVowel(word[i - 1])) return i + 1;
  }
  return word.length;
};

const endsShort = (word: string): boolean => {
  const [a, b, c] = [word.at(-3), word.at(-2), word.at(-1)];
  if (word.length === 2) return isVowel(b) && !isVowel(c);
  return !isVowel(a) && isVowel(b) && !isVowel(c) && !'wxY'.includes(c ?? '');
};

/** One word on its way through the steps of the English Snowball stemmer ("Porter2"). */
class Stemming {
  private first = 0;
  private second = 0;

  constructor(private word: string) {}

  stem(): string {
    this.markConsonantY();
    const special = /^(gener|commun|arsen)/.exec(this.word);
    this.first = special ? special[0].length : regionAfter(this.word, 0);
    this.second = regionAfter(this.word, this.first);
    this.word = this.word.replace(/('s'|'s|')$/, '');
    this.plural();
    if (untouched.has(this.word)) return this.word;
    this.pastOrParticiple();
    if (/[^aeiouy][yY]$/.test(this.word) && this.word.length > 2) this.word = `${this.word.slice(0, -1)}i`;
    this.derivation();
    this.ending();
    this.suffix();
    this.finalLetter();
    return this.word.toLowerCase();
  }

  private markConsonantY(): void {
    this.word = this.word.replace(/^y/, 'Y').replace(/([aeiouy])y/g, '$1Y');
  }

  private plural(): void {
    const { word } = this;
    if (word.endsWith('sses')) this.word = word.slice(0, -2);
    else if (/ie[ds]$/.test(word)) this.word = word.slice(0, word.length > 4 ? -2 : -1);
    else if (/[^us]s$/.test(word) && hasVowel(word.slice(0, -2))) this.word = word.slice(0, -1);
  }

  private pastOrParticiple(): void {
    const { word } = this;
    const eed = /eed(ly)?$/.exec(word);
    if (eed) {
      if (eed.index >= this.first) this.word = `${word.slice(0, eed.index)}ee`;
      return;
    }
    const found = /(ed|edly|ing|ingly)$/.exec(word);
    if (!found || !hasVowel(word.slice(0, found.index))) return;
    const rest = word.slice(0, found.index);
    if (/(at|bl|iz)$/.test(rest)) this.word = `${rest}e`;
    else if (DOUBLES.includes(rest.slice(-2))) this.word = rest.slice(0, -1);
    else this.word = endsShort(rest) && this.first >= rest.length ? `${rest}e` : rest;
  }

  private derivation(): void {
    const rule = derivations.find(([suffix]) => this.word.endsWith(suffix));
    if (!rule) return;
    const [suffix, replacement] = rule;
    const at = this.word.length - suffix.length;
    if (at < this.first) return;
    const before = this.word[at - 1] ?? '';
    if (suffix === 'ogi' && before !== 'l') return;
    if (suffix === 'li' && !'cdeghkmnrt'.includes(before)) return;
    this.word = this.word.slice(0, at) + replacement;
  }

  private ending(): void {
    const rule = endings.find(([suffix]) => this.word.endsWith(suffix));
    if (!rule) return;
    const [suffix, replacement] = rule;
    const at = this.word.length - suffix.length;
    if (at < (suffix === 'ative' ? this.second : this.first)) return;
    this.word = this.word.slice(0, at) + replacement;
  }

  private suffix(): void {
    const rule = removable.find(([suffix]) => this.word.endsWith(suffix));
    if (!rule) return;
    const at = this.word.length - rule[0].length;
    if (at < this.second) return;
    if (rule[0] === 'ion' && !'st'.includes(this.word[at - 1] ?? ' ')) return;
    this.word = this.word.slice(0, at);
  }

  private finalLetter(): void {
    const { word } = this;
    const at = word.length - 1;
    if (word.endsWith('e')) {
      const drop = at >= this.second || (at >= this.first && !endsShort(word.slice(0, -1)));
      if (drop) this.word = word.slice(0, -1);
    } else if (word.endsWith('ll') && at >= this.second) this.word = word.slice(0, -1);
  }
}

/** The stem of a lower-case English word: `running` and `runs` give `run`. Other words come back as they are. */
export const stemEnglish = (word: string): string => {
  if (word.length <= 2 || !/^[a-z']+$/.test(word)) return word;
  return irregular.get(word) ?? new Stemming(word.replace(/^'/, '')).stem();
};

/** Words too common to be searched for. */
export const englishStopWords: ReadonlySet<string> = new Set(
  `i me my myself we our ours ourselves you your yours yourself yourselves he him his himself she her hers herself it its
  itself they them their theirs themselves what which who whom this that these those am is are was were be been being have
  has had having do does did doing would should could ought i'm you're he's she's it's we're they're i've you've we've
  they've i'd you'd he'd she'd we'd they'd i'll you'll he'll she'll we'll they'll isn't aren't wasn't weren't hasn't
  haven't hadn't doesn't don't didn't won't wouldn't shan't shouldn't can't cannot couldn't mustn't let's that's who's
  what's here's there's when's where's why's how's a an the and but if or because as until while of at by for with about
  against between into through during before after above below to from up down in out on off over under again further then
  once here there when where why how all any both each few more most other some such no nor not only own same so than too
  very`.split(/\s+/),
);
