import { englishStopWords, stemEnglish } from './english.js';

describe('stemEnglish', () => {
  it.each([
    ['caresses', 'caress'],
    ['ponies', 'poni'],
    ['ties', 'tie'],
    ['gas', 'gas'],
    ['running', 'run'],
    ['hoping', 'hope'],
    ['hopping', 'hop'],
    ['agreed', 'agre'],
    ['bed', 'bed'],
    ['happy', 'happi'],
    ['say', 'say'],
    ['relational', 'relat'],
    ['generously', 'generous'],
    ['hopefulness', 'hope'],
    ['communication', 'communic'],
    ['adjustable', 'adjust'],
    ['adoption', 'adopt'],
    ['controlling', 'control'],
    ['knightly', 'knight'],
    ['consistency', 'consist'],
    ['skies', 'sky'],
    ['herrings', 'herring'],
    ['is', 'is'],
    ['naïve', 'naïve'],
  ])('of %s is %s', (word, stem) => {
    expect(stemEnglish(word)).toBe(stem);
  });

  it('leaves a stem that is found again by what it was made of', () => {
    for (const word of ['connection', 'connective', 'connected', 'connecting', 'connections']) {
      expect(stemEnglish(word)).toBe('connect');
    }
    expect(englishStopWords.has('the')).toBe(true);
  });
});
