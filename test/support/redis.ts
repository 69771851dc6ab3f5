import { randomBytes } from 'node:crypto';
import { RedisProcess, type RedisProcessOptions } from './redis-process.js';

export { RedisProcess } from './redis-process.js';

/** `describe` for suites that need a Redis; `npm test` says why where there is none, and CI always has one. */
export const describeWithRedis: jest.Describe =
  process.env['COLLOQUY_TEST_REDIS'] === 'off' ? describe.skip : describe;

/** A key prefix of its own, so that suites may share a server. */
export const redisPrefix = (): string => `test-${randomBytes(6).toString('hex')}`;

/** A server of its own for one suite, which may kill it. */
export const startRedis = (options?: RedisProcessOptions): Promise<RedisProcess> =>
  RedisProcess.start(options);
