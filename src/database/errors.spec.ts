import { mongo } from 'mongoose';
import { databaseProblem } from './errors.js';

const bulkError = (cause: mongo.AnyError): mongo.MongoBulkWriteError =>
  new mongo.MongoBulkWriteError(cause, {} as mongo.BulkWriteResult);

describe('databaseProblem', () => {
  it.each([
    ['no server', new mongo.MongoServerSelectionError('none', {} as mongo.TopologyDescription)],
    ['a broken connection', new mongo.MongoNetworkError('ECONNRESET')],
    ['a connection that timed out', new mongo.MongoNetworkTimeoutError('timed out')],
    ['a connection that broke during a bulk write', bulkError(new mongo.MongoNetworkError('ECONNRESET'))],
    ...[6, 7, 89, 91, 133, 189, 262, 384, 9001, 10107, 11600, 11602, 13435, 13436].map(
      (code): [string, Error] => [
        `server error ${code}`,
        new mongo.MongoServerError({ message: 'not now', code }),
      ],
    ),
    [
      'a server error in a bulk write',
      bulkError(new mongo.MongoServerError({ message: 'not now', code: 384 })),
    ],
  ])('%s: 503 database_unavailable with Retry-After', (_what, error) => {
    expect(databaseProblem(error)).toMatchObject({
      status: 503,
      code: 'database_unavailable',
      retryAfterSeconds: 2,
    });
  });

  it.each([
    ['a full disk', new mongo.MongoServerError({ message: 'no space', code: 14031 })],
    ['a full disk in a bulk write', bulkError(new mongo.MongoServerError({ message: 'full', code: 14031 }))],
    [
      'a used up quota of Atlas',
      new mongo.MongoServerError({ message: 'you are over your space quota, using 512 MB', code: 8000 }),
    ],
  ])('%s: 507 insufficient_storage, which says what the operator must do', (_what, error) => {
    expect(databaseProblem(error)).toMatchObject({
      status: 507,
      code: 'insufficient_storage',
      detail: expect.stringMatching(/operator must free or add space/) as string,
    });
  });

  it.each([
    ['another error of Atlas', new mongo.MongoServerError({ message: 'bad auth', code: 8000 })],
    [
      'a duplicate key in a bulk write',
      bulkError(new mongo.MongoServerError({ message: 'duplicate', code: 11000 })),
    ],
    ['a rejected query', new mongo.MongoServerError({ message: 'bad', code: 2 })],
    ['a programming error', new TypeError('undefined is not a function')],
  ])('%s does not count as an unavailable database', (_what, error) => {
    expect(databaseProblem(error)).toBeUndefined();
  });
});
