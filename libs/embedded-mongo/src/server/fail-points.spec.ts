import { Int32 } from 'bson';
import type { ConnectionInfo } from '../commands/host.js';
import { FailPoints } from './fail-points.js';

const connection: ConnectionInfo = {
  id: 1,
  remoteAddress: 'here',
  client: { application: { name: 'app' } },
};

describe('FailPoints', () => {
  let points: FailPoints;

  beforeEach(() => {
    points = new FailPoints();
  });

  it('acts as often as it was told to', () => {
    points.configure(
      'failCommand',
      { times: new Int32(2) },
      { failCommands: ['insert'], closeConnection: true },
    );
    expect(points.take('find', connection, false)).toBeUndefined();
    expect(points.take('insert', connection, false)?.closeConnection).toBe(true);
    expect(points.take('insert', connection, false)?.closeConnection).toBe(true);
    expect(points.take('insert', connection, false)).toBeUndefined();
  });

  it('acts until it is switched off', () => {
    points.configure('failCommand', 'alwaysOn', { failCommands: ['insert'], errorCode: new Int32(10107) });
    expect(points.take('insert', connection, false)?.error?.code).toBe(10107);
    points.configure('failCommand', 'off', {});
    expect(points.take('insert', connection, false)).toBeUndefined();
  });

  it('acts for the named application only', () => {
    points.configure('failCommand', 'alwaysOn', {
      failCommands: ['ping'],
      appName: 'other',
      closeConnection: true,
    });
    expect(points.take('ping', connection, false)).toBeUndefined();
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
    expect(points.take('insert', connection, retryable)?.error?.errorLabels).toEqual(expected);
  });

  it('refuses an unknown fail point', () => {
    expect(() => points.configure('somethingElse', 'alwaysOn', {})).toThrow('not a known fail point');
  });
});
