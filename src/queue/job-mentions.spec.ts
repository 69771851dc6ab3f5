import { namesIn } from './job-mentions.js';

describe('namesIn', () => {
  it.each([
    ['a member of the payload', { payload: { to: 'ana' } }],
    ['a nested member', { payload: { rows: [{ of: ['ana'] }] } }],
    ['the name of a member', { payload: { byParticipant: { ana: 1 } } }],
    ['the result', { payload: {}, result: { participantId: 'ana' } }],
    ['the payload itself', { payload: 'ana' }],
    ['the dedupeKey', { payload: {}, dedupeKey: 'ana' }],
    ['a part of the dedupeKey', { payload: {}, dedupeKey: 'reminder:ana:7' }],
  ])('finds the id as %s', (_where, job) => {
    expect(namesIn(job).has('ana')).toBe(true);
  });

  it('finds an id that contains the separator', () => {
    expect(namesIn({ payload: {}, dedupeKey: 'reminder:web:ana' }).has('web:ana')).toBe(true);
  });

  it('does not take texts that contain the id for the id', () => {
    const job = { payload: { text: 'banana', n: 1, none: null }, result: 'ana said', dedupeKey: 'banana:1' };
    expect(namesIn(job).has('ana')).toBe(false);
  });
});
