import {
  complaintOf,
  ProfileSummary,
  renderProfile,
  type ShapeSummary,
  suggestionFor,
} from './profile-summary.js';

const entry = (change: object): object => ({
  op: 'query',
  ns: 'colloquy.orders',
  command: { find: 'orders', filter: { customer: 1 } },
  millis: 5,
  docsExamined: 100,
  nreturned: 2,
  planSummary: 'COLLSCAN',
  ts: new Date(0),
  ...change,
});

function summaryOf(...changes: object[]): ShapeSummary[] {
  const summary = new ProfileSummary();
  for (const change of changes) summary.add(entry(change));
  return summary.shapes();
}

describe('ProfileSummary', () => {
  it('groups operations by shape, whatever their values, and includes further batches of a query', () => {
    const [found, ...others] = summaryOf(
      {},
      { command: { find: 'orders', filter: { customer: 'x' } }, millis: 9 },
      {
        op: 'getmore',
        command: { getMore: 1 },
        originatingCommand: { find: 'orders', filter: { customer: 7 } },
      },
    );
    expect(others).toEqual([]);
    expect(found).toMatchObject({
      count: 3,
      totalMs: 19,
      p50: 5,
      p95: 9,
      max: 9,
      examined: 300,
      returned: 6,
    });
  });

  it.each<[string, object, string]>([
    ['another field', { command: { find: 'orders', filter: { shop: 1 } } }, 'find { shop: = }'],
    [
      'a range',
      { command: { find: 'orders', filter: { customer: { $gt: 1, $lt: 2 } } } },
      'find { customer: range }',
    ],
    [
      'a sort',
      { command: { find: 'orders', filter: { customer: 1 }, sort: { at: 1 } } },
      'find { customer: = }',
    ],
    [
      'another operation',
      { op: 'remove', command: { q: { customer: 1 }, limit: 1 } },
      'delete { customer: = }',
    ],
    ['an update', { op: 'update', command: { q: { customer: 1 }, u: {} } }, 'update { customer: = }'],
    [
      'a pipeline',
      { op: 'command', command: { aggregate: 'orders', pipeline: [{ $match: { customer: { $in: [1] } } }] } },
      'aggregate { customer: in }',
    ],
    [
      'findAndModify',
      { op: 'command', command: { findAndModify: 'orders', query: { $or: [{ a: 1 }, { a: 2 }] } } },
      'findAndModify { $or: [{ a: = }] }',
    ],
    ['an insert', { op: 'insert', command: { insert: 'orders' }, planSummary: undefined }, 'insert {}'],
    ['a command', { op: 'command', command: { commitTransaction: 1 } }, 'commitTransaction {}'],
  ])('distinguishes shapes by %s', (_what, change, text) => {
    const shapes = summaryOf({}, change).map(({ shape }) => shape);
    expect(new Set(shapes.map(({ key }) => key)).size).toBe(2);
    expect(shapes.map(({ operation, filter }) => `${operation} ${filter}`)).toContain(text);
  });

  it('sorts shapes by their total time', () => {
    const slow = { command: { find: 'orders', filter: { slow: 1 } }, millis: 12 };
    expect(summaryOf({}, {}, {}, slow).map(({ totalMs }) => totalMs)).toEqual([15, 12]);
  });
});

describe('index suggestions', () => {
  const suggested = (command: object, existing: Record<string, unknown>[] = []): string => {
    const [found] = summaryOf({ command: { find: 'orders', ...command } });
    const key = found && suggestionFor(found, existing);
    return key ? Object.entries(key).flat().join(' ') : 'none';
  };

  it.each<[object, string]>([
    [{ filter: { at: { $gt: 1 }, customer: 1 }, sort: { total: -1 } }, 'customer 1 total -1 at 1'],
    [{ filter: { isOpen: true, customer: 1, tenantId: 't' } }, 'tenantId 1 customer 1 isOpen 1'],
    [{ filter: { $and: [{ a: { $in: [1, 2] } }, { b: { $lt: 3 } }] } }, 'a 1 b 1'],
    [{ filter: { a: 1, b: { $ne: 2 }, c: { $exists: false } } }, 'a 1'],
    [{ filter: { at: { $gt: 1 } }, sort: { at: -1, _id: -1 } }, 'at -1 _id -1'],
    [{ filter: { _id: 1, a: 1 } }, 'none'],
    [{ filter: { $or: [{ a: 1 }, { b: 1 }] } }, 'none'],
    [{ filter: {} }, 'none'],
  ])('suggest for %j: %s', (command, key) => {
    expect(suggested(command)).toBe(key);
  });

  it('do not include an index that already exists as the prefix of another', () => {
    const command = { filter: { a: 1 }, sort: { b: -1 } };
    expect(suggested(command, [{ a: 1, b: -1, c: 1 }])).toBe('none');
    expect(suggested(command, [{ a: -1, b: 1 }])).toBe('none');
    expect(suggested(command, [{ a: 1, b: 1 }, { a: 1 }])).toBe('a 1 b -1');
  });

  it.each<[object, string | undefined]>([
    [{}, 'reads the whole collection'],
    [{ planSummary: 'IXSCAN { customer: 1 }', docsExamined: 2 }, undefined],
    [{ planSummary: 'IXSCAN { customer: 1 }', docsExamined: 2, hasSortStage: true }, 'sorts in memory'],
    [{ planSummary: 'IXSCAN { shop: 1 }', docsExamined: 5000 }, 'examines 5000 documents each time'],
    [{ planSummary: 'IXSCAN { shop: 1 }', docsExamined: 5000, nreturned: 5000 }, undefined],
    [{ planSummary: 'IDHACK', docsExamined: 1 }, undefined],
    [{ op: 'insert', command: { insert: 'orders' }, planSummary: undefined }, undefined],
  ])('are needed for %j: %s', (change, complaint) => {
    const [found] = summaryOf(change);
    expect(found && complaintOf(found)).toBe(complaint);
  });
});

it('the report lists shapes, plans and indexes', () => {
  const summary = new ProfileSummary();
  summary.add(entry({}));
  summary.add(entry({ op: 'insert', command: { insert: 'orders' }, planSummary: undefined, millis: 0 }));
  expect(renderProfile(summary, new Map(), 10))
    .toBe(`2 operations of 2 shapes; the 2 with the highest total time:

   operation  count  p50 ms  p95  max  examined  returned  index
1  find           1       5    5    5       100         2  COLLSCAN
2  insert         1      <1   <1   <1       100         2  –

1  colloquy.orders find { customer: = }
2  colloquy.orders insert {}

colloquy.orders: find { customer: = } reads the whole collection; an index would help: { customer: 1 }
`);
});

it('the report makes no statement about indexes when there were no queries', () => {
  const summary = new ProfileSummary();
  const verdict = (): string | undefined => renderProfile(summary, new Map(), 10).trim().split('\n').at(-1);
  expect(verdict()).toBe('No queries were recorded, so there is nothing to say about indexes.');
  summary.add(entry({ op: 'insert', command: { insert: 'orders' }, planSummary: undefined }));
  expect(verdict()).toBe('No queries were recorded, so there is nothing to say about indexes.');
  summary.add(entry({ planSummary: 'IXSCAN { customer: 1 }', docsExamined: 2 }));
  expect(verdict()).toBe('Every query used a suitable index.');
});
