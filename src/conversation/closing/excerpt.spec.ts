import { boundedText } from './bounded-text.js';
import { excerpt, oneLine } from './excerpt.js';
import { turnLine } from './turn-line.js';

describe('oneLine', () => {
  it('removes line feeds, control characters and unpaired surrogates', () => {
    expect(oneLine(' a\r\n\tb\0c \ud83d ')).toBe('a b c \ufffd');
  });
});

describe('excerpt', () => {
  it('keeps short text as it is', () => {
    expect(excerpt('One. Two.', 9)).toBe('One. Two.');
  });

  it('keeps whole sentences that fit', () => {
    expect(excerpt('One is here. Two is there! Three is nowhere.', 30)).toBe('One is here. Two is there!');
  });

  it('cuts a longer first sentence between words, otherwise anywhere but within a character', () => {
    expect(excerpt('a sentence that is too long to be kept', 20)).toBe('a sentence that is…');
    expect(excerpt('x'.repeat(50), 10)).toBe(`${'x'.repeat(9)}…`);
    expect(excerpt('😀'.repeat(50), 10)).toBe(`${'😀'.repeat(4)}…`);
  });

  it.each([1, 2, 7, 50, 400])('is never longer than %d', (max) => {
    for (const text of ['word '.repeat(200), 'Yes. '.repeat(200), '语'.repeat(1000), '😀 '.repeat(500)])
      expect(excerpt(text, max).length).toBeLessThanOrEqual(max);
  });
});

describe('boundedText', () => {
  it('keeps text that fits, otherwise its beginning and end, in whole graphemes', () => {
    expect(boundedText('short', 5)).toBe('short');
    const cut = boundedText(`begin ${'é😀'.repeat(1000)} end`, 101);
    expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(101);
    expect(cut).toMatch(/^begin é.*\n\[…\]\n.* end$/su);
    expect(cut).not.toContain('\ufffd');
    const family = boundedText('👩‍👩‍👧'.repeat(100), 101);
    expect(family).toMatch(/^(👩‍👩‍👧)+\n\[…\]\n(👩‍👩‍👧)+$/u);
  });
});

describe('turnLine', () => {
  it('shows the role by a symbol, on one line, with attachments by name', () => {
    const attachments = [
      { type: 'image', url: 'https://x.example/a.jpg', name: 'menu.jpg' },
      { type: 'location', url: 'https://x.example/b' },
    ];
    expect(turnLine({ role: 'user', content: 'Look\nhere', attachments })).toBe(
      '> Look here [image: menu.jpg] [location]',
    );
    expect(turnLine({ role: 'assistant', content: 'I see', attachments: [] })).toBe('< I see');
    expect(turnLine({ role: 'tool', content: '', attachments: [] })).toBe('*');
  });
});
