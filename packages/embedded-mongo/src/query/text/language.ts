import { englishStopWords, stemEnglish } from './english.js';

/** How the words of a language become terms. */
export interface Language {
  name: string;
  stem(word: string): string;
  isStopWord(word: string): boolean;
  /** In English the apostrophe belongs to the word. */
  apostropheInWords: boolean;
}

const codes: Record<string, string> = {
  da: 'danish',
  nl: 'dutch',
  en: 'english',
  fi: 'finnish',
  fr: 'french',
  de: 'german',
  hu: 'hungarian',
  it: 'italian',
  nb: 'norwegian',
  pt: 'portuguese',
  ro: 'romanian',
  ru: 'russian',
  es: 'spanish',
  sv: 'swedish',
  tr: 'turkish',
};

const plain = (name: string): Language => ({
  name,
  stem: (word) => word,
  isStopWord: () => false,
  apostropheInWords: false,
});

const english: Language = {
  name: 'english',
  stem: stemEnglish,
  isStopWord: (word) => englishStopWords.has(word),
  apostropheInWords: true,
};

/** Only English has stems and stop words; the others are known by name and taken word by word, as `none` is. */
const languages = new Map<string, Language>([
  ['none', plain('none')],
  ...Object.values(codes).map((name): [string, Language] => [
    name,
    name === 'english' ? english : plain(name),
  ]),
]);

/** The language of a name or a two-letter code; undefined for one that MongoDB does not know. */
export const languageOf = (name: string): Language | undefined => {
  const lower = name.toLowerCase();
  return languages.get(codes[lower] ?? lower);
};
