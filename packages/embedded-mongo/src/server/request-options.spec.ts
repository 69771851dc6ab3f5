import { Binary, Long } from 'bson';
import type { Command } from '../commands/command.js';
import { int, type Doc } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import { labelsFor } from './error-labels.js';
import { checkShape, readOptions } from './request-options.js';

const write: Command = { name: 'insert', fields: ['insert'], retryable: true, run: () => ({}) };
const read: Command = { name: 'find', fields: ['find'], run: () => ({}) };
const lsid: Doc = { id: new Binary(Buffer.alloc(16, 7), 4) };
const txnNumber = Long.fromNumber(3);

const codeOf = (work: () => unknown): unknown => {
  try {
    work();
  } catch (error) {
    return (error as ServerError).code;
  }
  return undefined;
};

it.each<[string, Doc, boolean, boolean]>([
  ['no write concern: as by a majority', {}, true, false],
  ['majority', { w: 'majority' }, true, false],
  ['one node', { w: int(1) }, false, false],
  ['one node and the journal', { w: int(1), j: true }, true, false],
  ['two nodes', { w: int(2) }, false, true],
])('%s', (_, writeConcern, durable, unsatisfiableWriteConcern) => {
  const body = Object.keys(writeConcern).length > 0 ? { writeConcern } : {};
  expect(readOptions(write, body)).toMatchObject({ durable, unsatisfiableWriteConcern });
});

it('reads the fields of a transaction', () => {
  expect(readOptions(read, { lsid, txnNumber, autocommit: false, startTransaction: true })).toMatchObject({
    lsid: '07'.repeat(16),
    txnNumber: 3n,
    inTransaction: true,
    startTransaction: true,
  });
});

it.each<[string, Command, Doc, number]>([
  ['a transaction number without a session', write, { txnNumber }, 72],
  ['autocommit without a transaction number', write, { lsid, autocommit: false }, 72],
  ['startTransaction without autocommit', write, { lsid, txnNumber, startTransaction: true }, 72],
  ['a retryable read', read, { lsid, txnNumber }, 50768],
  [
    'a write concern inside of a transaction',
    write,
    { lsid, txnNumber, autocommit: false, writeConcern: {} },
    72,
  ],
  ['an unknown read concern', read, { readConcern: { level: 'maybe' } }, 9],
  ['an lsid that is no UUID', read, { lsid: { id: 'x' } }, 14],
  ['a time limit that is no integer', read, { maxTimeMS: 1.5 }, 2],
])('refuses %s', (_, command, body, code) => {
  expect(codeOf(() => readOptions(command, body))).toBe(code);
});

it('rejects unknown fields but accepts generic ones', () => {
  expect(
    codeOf(() => checkShape(read, 'find', 'd', { find: 'c', lsid, $db: 'd', comment: 'x' })),
  ).toBeUndefined();
  expect(codeOf(() => checkShape(read, 'find', 'd', { find: 'c', other: 1 }))).toBe(40415);
});

it.each<[string, number, Parameters<typeof labelsFor>[1], string[]]>([
  [
    'a conflict in a transaction',
    112,
    { inTransaction: true, retryableWrite: false, ending: false },
    ['TransientTransactionError'],
  ],
  ['a conflict outside of one', 112, { inTransaction: false, retryableWrite: true, ending: false }, []],
  [
    'a shutdown during a retryable write',
    11600,
    { inTransaction: false, retryableWrite: true, ending: false },
    ['RetryableWriteError'],
  ],
  [
    'a shutdown in a transaction',
    11600,
    { inTransaction: true, retryableWrite: false, ending: false },
    ['TransientTransactionError'],
  ],
  [
    'a shutdown during a commit',
    91,
    { inTransaction: true, retryableWrite: false, ending: true },
    ['RetryableWriteError'],
  ],
  [
    'an unknown transaction at commit',
    251,
    { inTransaction: true, retryableWrite: false, ending: true },
    ['TransientTransactionError'],
  ],
  ['a duplicate key', 11000, { inTransaction: true, retryableWrite: false, ending: false }, []],
])('labels %s', (_, code, situation, expected) => {
  expect(
    labelsFor(
      new ServerError(code, 'x', { errorLabels: code === 112 ? ['TransientTransactionError'] : [] }),
      situation,
    ),
  ).toEqual(expected);
});
