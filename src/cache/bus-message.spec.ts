import { busMessageOf } from './bus-message.js';

describe('busMessageOf', () => {
  it.each([
    { tenantId: 'acme', generation: '1767323045678901' },
    { tenantId: 'acme', generation: '7' },
    { key: 'acme\0plan\x001' },
  ])('reads %j', (message) => {
    expect(busMessageOf({ from: 'p', ...message })).toEqual(message);
  });

  it.each(['', null, 7, [[]], {}, { key: 1 }, { tenantId: 'acme' }, { generation: '7' }])(
    'rejects %j',
    (message) => {
      expect(busMessageOf(message)).toBeUndefined();
    },
  );

  it.each(['soon', '', '-1', '1.5', '1e3', ' 1', '12345678901234567', 7, null])(
    'rejects the generation %j',
    (generation) => {
      expect(busMessageOf({ tenantId: 'acme', generation })).toBeUndefined();
    },
  );
});
