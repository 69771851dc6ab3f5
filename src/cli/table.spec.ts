import { renderBytes, renderIndexReport, renderTable } from './table.js';

const index = (name: string, key: Record<string, unknown>, rest = {}) => ({
  name,
  key,
  created: false,
  undeclared: false,
  bytes: 2048,
  ...rest,
});

describe('renderIndexReport', () => {
  it('shows each collection once, and each index with its key and state: new, kept or undeclared', () => {
    const text = renderIndexReport([
      {
        collection: 'messages',
        documents: 12_345,
        dataBytes: 5 * 1024 * 1024,
        indexes: [
          index('_id_', { _id: 1 }),
          index('recent', { tenantId: 1, timestamp: -1 }, { created: true }),
          index('old', { text: 'hashed' }, { undeclared: true }),
        ],
      },
    ]);
    const [, first, second, third] = text.split('\n').map((line) => line.split(/\s{2,}/));
    expect(first).toEqual(['messages', '12,345', '5.0 MiB', '_id_', '_id', 'kept', '2.0 KiB']);
    expect(second?.slice(1)).toEqual(['recent', 'tenantId timestamp:-1', 'new', '2.0 KiB']);
    expect(third?.slice(1)).toEqual(['old', 'text:hashed', 'undeclared', '2.0 KiB']);
    expect(text).toContain('1 collections, 3 indexes: 1 new, 1 kept, 1 undeclared.');
    expect(text).toContain('not changed');
  });
});

it('shows figures that the server does not provide as unknown', () => {
  const text = renderIndexReport([
    {
      collection: 'messages',
      indexes: [{ name: '_id_', key: { _id: 1 }, created: false, undeclared: false }],
    },
  ]);
  expect(text.split('\n')[1]?.split(/\s{2,}/)).toEqual([
    'messages',
    'unknown',
    'unknown',
    '_id_',
    '_id',
    'kept',
    'unknown',
  ]);
});

describe('renderTable', () => {
  it('aligns the columns', () => {
    expect(
      renderTable(
        [
          ['name', 'count'],
          ['a', '5'],
        ],
        new Set([1]),
      ),
    ).toBe('name  count\na         5\n');
  });
});

describe('renderBytes', () => {
  it.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1536, '1.5 KiB'],
    [200 * 1024, '200 KiB'],
    [3 * 1024 ** 4, '3.0 TiB'],
    [2 * 1024 ** 5, '2048 TiB'],
  ])('%d is %s', (bytes, text) => {
    expect(renderBytes(bytes)).toBe(text);
  });
});
