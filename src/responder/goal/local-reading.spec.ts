import { GoalMessage } from './goal-reading.js';
import { goalSlot } from './goal-template.js';
import { localLanguages, type LocalLanguage } from './local-dates.js';

/** A Saturday. */
const today = { year: 2026, month: 11, day: 21 };

const slots = [
  goalSlot.parse({ name: 'day', kind: 'date', prompt: 'When?' }),
  goalSlot.parse({ name: 'at', kind: 'time', prompt: 'At what time?', earliest: '11:00' }),
  goalSlot.parse({ name: 'guests', kind: 'number', prompt: 'How many?', min: 1, max: 20 }),
];

const read = (language: LocalLanguage, content: string): unknown =>
  new GoalMessage(content, today, language).readSlots(slots);

describe('GoalMessage in another language than English', () => {
  it.each<[LocalLanguage, string, object]>([
    ['de', 'Einen Tisch für vier am 12. Mai um 19:30 Uhr', { day: '2027-05-12', at: '19:30', guests: 4 }],
    ['de', 'nächsten Freitag', { day: '2026-11-27' }],
    ['fr', 'Une table pour deux demain à 19h30', { day: '2026-11-22', at: '19:30', guests: 2 }],
    ['es', 'Una mesa para cinco el 12 de mayo', { day: '2027-05-12', guests: 5 }],
    ['es', 'mañana a las 7, somos tres', { day: '2026-11-22', at: '19:00', guests: 3 }],
    ['it', 'Un tavolo per sei domani alle 20:15', { day: '2026-11-22', at: '20:15', guests: 6 }],
    ['nl', 'morgen om 20:00, voor twee', { day: '2026-11-22', at: '20:00', guests: 2 }],
    ['pt', 'amanhã, mesa para quatro', { day: '2026-11-22', guests: 4 }],
    ['ru', 'завтра в 19:00, столик на двоих', { day: '2026-11-22', at: '19:00', guests: 2 }],
    ['uk', 'завтра о 19:00', { day: '2026-11-22', at: '19:00' }],
    ['ja', '5月12日の午後7時に3人', { day: '2027-05-12', at: '19:00', guests: 3 }],
    ['zh', '明天下午七点,四个人', { day: '2026-11-22', at: '19:00', guests: 4 }],
    ['sv', 'imorgon för tre', { day: '2026-11-22', guests: 3 }],
    ['fi', 'huomenna kello 19', { day: '2026-11-22', at: '19:00' }],
  ])('reads dates, times and numbers in %s: %s', (language, content, values) => {
    expect(read(language, content)).toEqual(values);
  });

  it('still reads what is written as in English', () => {
    expect(read('de', '2027-01-15, 8pm')).toEqual({ day: '2027-01-15', at: '20:00' });
  });

  it('takes the word for 1 as a number only if a number was asked for', () => {
    const [, , guests] = slots;
    const message = new GoalMessage('ein Tisch', today, 'de');
    expect(message.readSlots(slots)).toEqual({});
    expect(message.readSlots(slots, guests)).toEqual({ guests: 1 });
  });

  it('searches a bounded part of a long message', () => {
    for (const language of localLanguages)
      expect(read(language, `${'x '.repeat(2500)} 2027-01-15 19:30`)).toEqual({});
  });
});
