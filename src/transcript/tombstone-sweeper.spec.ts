import { SchedulerRegistry } from '@nestjs/schedule';
import { loadSettings } from '../config/index.js';
import { createLogger } from '../logging/index.js';
import { TombstoneSweeper } from './tombstone-sweeper.js';
import type { TranscriptStore } from './transcript-store.js';
import type { TranscriptRepository } from './transcript.repository.js';

const DAY_MS = 86_400_000;

describe('TombstoneSweeper', () => {
  const start = new Date('2026-11-22T12:00:00Z');
  const forget = jest.fn<Promise<number>, [string, Date, number]>();
  const tenantsAfter = jest.fn<Promise<string[]>, [string, number]>();
  const registry = new SchedulerRegistry();
  let sweeper: TombstoneSweeper;

  beforeEach(() => {
    jest.useFakeTimers({ now: start });
    forget.mockReset().mockResolvedValue(0);
    tenantsAfter.mockReset().mockResolvedValueOnce(['acme', 'bistro']);
    sweeper = new TombstoneSweeper(
      { tenantsAfter } as Partial<TranscriptRepository> as TranscriptRepository,
      { forget } as Partial<TranscriptStore> as TranscriptStore,
      registry,
      loadSettings({ TRANSCRIPT_TOMBSTONE_DAYS: '7', TRANSCRIPT_SWEEP_INTERVAL_MS: '60000' }).transcript,
      createLogger({ level: 'silent', pretty: false }),
    );
    sweeper.onModuleInit();
  });
  afterEach(async () => {
    await sweeper.onModuleDestroy();
    jest.useRealTimers();
  });

  it('deletes the tombstones of each tenant that are older than the setting, at each interval', async () => {
    await jest.advanceTimersByTimeAsync(59_999);
    expect(forget).not.toHaveBeenCalled();
    await jest.advanceTimersByTimeAsync(1);
    const before = new Date(start.getTime() + 60_000 - 7 * DAY_MS);
    expect(forget.mock.calls).toEqual([
      ['acme', before, 500],
      ['bistro', before, 500],
    ]);
  });

  it('continues with a tenant until a batch is not full', async () => {
    forget.mockResolvedValueOnce(500).mockResolvedValueOnce(500).mockResolvedValueOnce(3);
    expect(await sweeper.sweep(start)).toBe(1003);
    expect(forget.mock.calls.map(([tenantId]) => tenantId)).toEqual(['acme', 'acme', 'acme', 'bistro']);
  });

  it('survives a failing sweep, and runs only one sweep at a time', async () => {
    forget.mockRejectedValueOnce(new Error('the database is unavailable'));
    await jest.advanceTimersByTimeAsync(60_000);
    tenantsAfter.mockResolvedValueOnce(['acme']);
    forget.mockResolvedValueOnce(2);
    const both = [sweeper.sweep(start), sweeper.sweep(start)];
    expect(await Promise.all(both)).toEqual([2, 2]);
    expect(forget).toHaveBeenCalledTimes(2);
  });

  it('stops mid-sweep at shutdown', async () => {
    let end: (found: number) => void = () => undefined;
    forget.mockImplementationOnce(() => new Promise((resolve) => (end = resolve)));
    const sweep = sweeper.sweep(start);
    await jest.advanceTimersByTimeAsync(0);
    const closed = sweeper.onModuleDestroy();
    end(500);
    await closed;
    expect(await sweep).toBe(500);
    expect(forget).toHaveBeenCalledTimes(1);
  });
});
