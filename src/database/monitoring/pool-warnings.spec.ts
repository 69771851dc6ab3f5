import { setImmediate as nextTurn } from 'node:timers/promises';
import { createLogger } from '../../logging/index.js';
import { PoolWarnings } from './pool-warnings.js';

function warningsWith() {
  const clock = { now: 0 };
  const logger = createLogger({ level: 'silent', pretty: false });
  const lines: unknown[] = [];
  jest.spyOn(logger, 'warn').mockImplementation((line: unknown) => void lines.push(line));
  return { warnings: new PoolWarnings(logger, () => clock.now), clock, lines };
}

describe('PoolWarnings', () => {
  it('warns of more than 10 that wait, once a minute', async () => {
    const { warnings, clock, lines } = warningsWith();
    const pool = { inUse: 20, waiting: 11, maxSize: 20 };
    for (const at of [0, 1000, 59_999]) {
      clock.now = at;
      warnings.waits(pool);
      await nextTurn();
    }
    expect(lines).toEqual([pool]);
    clock.now = 60_000;
    warnings.waits(pool);
    await nextTurn();
    expect(lines).toHaveLength(2);
  });

  it('is silent at 10', async () => {
    const { warnings, lines } = warningsWith();
    warnings.waits({ inUse: 20, waiting: 10, maxSize: 20 });
    await nextTurn();
    expect(lines).toEqual([]);
  });

  it('ignores operations that only wait for the next turn of the driver', async () => {
    const { warnings, lines } = warningsWith();
    const pool = { inUse: 0, waiting: 15, maxSize: 20 };
    warnings.waits(pool);
    pool.waiting = 0;
    await nextTurn();
    expect(lines).toEqual([]);
  });

  it('warns at 80 % of the pool, once a minute', () => {
    const { warnings, clock, lines } = warningsWith();
    warnings.served({ inUse: 15, waiting: 0, maxSize: 20 });
    expect(lines).toEqual([]);
    warnings.served({ inUse: 16, waiting: 0, maxSize: 20 });
    warnings.served({ inUse: 17, waiting: 0, maxSize: 20 });
    expect(lines).toEqual([{ inUse: 16, waiting: 0, maxSize: 20 }]);
    clock.now = 60_000;
    warnings.served({ inUse: 20, waiting: 0, maxSize: 20 });
    expect(lines).toHaveLength(2);
  });
});
