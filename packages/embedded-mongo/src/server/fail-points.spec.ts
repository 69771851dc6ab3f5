import { Double, Int32 } from 'bson';
import type { Command } from '../commands/command.js';
import { FailPoints, type FailSubject } from './fail-points.js';

const insert: Command = { name: 'insert', run: () => ({}) };
const hello: Command = { name: 'isMaster', aliases: ['ismaster'], run: () => ({}) };

const subject = (command: Command, retryable = false): FailSubject => ({
  command,
  ns: 'd.c',
  client: { application: { name: 'app' } },
  retryable,
});

describe('FailPoints', () => {
  let points: FailPoints;

  beforeEach(() => {
    points = new FailPoints();
  });

  it('triggers as often as configured', () => {
    points.configure(
      'failCommand',
      { times: new Int32(2) },
      { failCommands: ['insert'], closeConnection: true },
    );
    expect(points.take(subject(hello))).toBeUndefined();
    expect(points.take(subject(insert))?.closeConnection).toBe(true);
    expect(points.take(subject(insert))?.closeConnection).toBe(true);
    expect(points.take(subject(insert))).toBeUndefined();
  });

  it('triggers until it is switched off', () => {
    points.configure('failCommand', 'alwaysOn', { failCommands: ['insert'], errorCode: new Int32(10107) });
    expect(points.take(subject(insert))?.error?.code).toBe(10107);
    points.configure('failCommand', 'off', {});
    expect(points.take(subject(insert))).toBeUndefined();
  });

  it('triggers only for the named application', () => {
    points.configure('failCommand', 'alwaysOn', {
      failCommands: ['insert'],
      appName: 'other',
      closeConnection: true,
    });
    expect(points.take(subject(insert))).toBeUndefined();
  });

  it.each([
    ['a retryable code of a retryable write', 10107, undefined, true, ['RetryableWriteError']],
    ['another code', 8000, undefined, true, []],
    ['a command that is no retryable write', 10107, undefined, false, []],
    ['labels of its own', 10107, ['Mine'], true, ['Mine']],
    ['no labels, as asked for', 10107, [], true, []],
  ])('labels %s', (_, code, errorLabels, retryable, expected) => {
    points.configure('failCommand', 'alwaysOn', {
      failCommands: ['insert'],
      errorCode: new Int32(code),
      ...(errorLabels && { errorLabels }),
    });
    expect(points.take(subject(insert, retryable))?.error?.errorLabels).toEqual(expected);
  });

  it('rejects an unknown fail point', () => {
    expect(() => points.configure('somethingElse', 'alwaysOn', {})).toThrow('somethingElse not found');
  });

  it('recognizes the aliases of a command', () => {
    points.configure('failCommand', 'alwaysOn', { failCommands: ['ismaster'], closeConnection: true });
    expect(points.take(subject(hello))?.closeConnection).toBe(true);
  });

  it('triggers only for the named collection', () => {
    points.configure('failCommand', 'alwaysOn', {
      failCommands: ['insert'],
      namespace: 'd.other',
      closeConnection: true,
    });
    expect(points.take(subject(insert))).toBeUndefined();
    expect(points.take({ ...subject(insert), ns: 'd.other' })?.closeConnection).toBe(true);
  });

  it('skips the configured number of commands, then triggers', () => {
    points.configure('failGetMoreAfterCursorCheckout', { skip: new Int32(1) }, { errorCode: new Int32(6) });
    expect(points.enter('failGetMoreAfterCursorCheckout')).toBeUndefined();
    expect(points.enter('failGetMoreAfterCursorCheckout')).toEqual({ errorCode: new Int32(6) });
    expect(points.active).toBe(true);
    expect(points.configure('failGetMoreAfterCursorCheckout', 'off', {})).toBe(1);
    expect(points.active).toBe(false);
  });

  it('triggers with the configured probability', () => {
    const chances = [0.7, 0.2];
    points = new FailPoints(() => chances.shift()!);
    points.configure('maxTimeAlwaysTimeOut', { activationProbability: new Double(0.5) }, {});
    expect(points.enter('maxTimeAlwaysTimeOut')).toBeUndefined();
    expect(points.enter('maxTimeAlwaysTimeOut')).toEqual({});
  });

  it('moves the labels of a write concern error to the reply', () => {
    const writeConcernError = { code: new Int32(91), errmsg: 'gone' };
    points.configure('failCommand', 'alwaysOn', { failCommands: ['insert'], writeConcernError });
    expect(points.take(subject(insert, true))?.writeConcernError).toEqual({
      errorLabels: ['RetryableWriteError'],
      ...writeConcernError,
    });
    expect(points.take(subject(insert))?.writeConcernError).toEqual(writeConcernError);
  });
});
