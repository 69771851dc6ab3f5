import { busMessageOf } from './bus-message.js';

describe('busMessageOf', () => {
  it.each([
    { from: 'p', scope: { tenantId: 'acme' }, generation: '1767323045678901' },
    { from: 'p', scope: { tenantId: 'acme', tag: 'shop:1' }, generation: '7' },
    { from: 'p', key: 'acme\0plan\x001' },
  ])('reads %j', (message) => {
    expect(busMessageOf(JSON.stringify(message))).toEqual(message);
  });

  it.each(['', 'nonsense', '{"from":"p"', 'null', '7', '[]', '{}', '{"from":7}', '{"from":"p","key":1}'])(
    'takes %j for none',
    (text) => {
      expect(busMessageOf(text)).toBeUndefined();
    },
  );

  it.each(['soon', '', '-1', '1.5', '1e3', ' 1', '12345678901234567', 7, null])(
    'takes a message with the generation %j for none',
    (generation) => {
      const text = JSON.stringify({ from: 'p', scope: { tenantId: 'acme' }, generation });
      expect(busMessageOf(text)).toBeUndefined();
    },
  );
});
