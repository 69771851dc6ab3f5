import { randomBytes } from 'node:crypto';
import { RedisProcess, type RedisProcessOptions } from './redis-process.js';

export { RedisProcess } from './redis-process.js';

/**
 * `describe` for suites that need Redis. Without it they are skipped, and `npm test` reports why; CI always
 * has it.
 */
export const describeWithRedis: jest.Describe =
  process.env['COLLOQUY_TEST_REDIS'] === 'off' ? describe.skip : describe;

/** A unique key prefix, so that suites can share a server. */
export const redisPrefix = (): string => `test-${randomBytes(6).toString('hex')}`;

/** Starts a server for one suite, which may kill it. */
export const startRedis = (options?: RedisProcessOptions): Promise<RedisProcess> =>
  RedisProcess.start(options);
