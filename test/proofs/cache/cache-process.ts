// A process with its own cache that requests one cold key on command. Forked by test/proofs/cache.ts.
import { setTimeout as delay } from 'node:timers/promises';
import { CacheFamily } from '../../../src/cache/index.js';
import { openCache } from '../../support/cache.js';

interface Order {
  key: string;
  callers: number;
  loadMs: number;
}

export interface CacheReport {
  type: 'report';
  loads: number;
  /** The distinct values that the callers received. */
  values: string[];
}

const { REDIS_URL, REDIS_COMMAND_TIMEOUT_MS } = process.env;
const { cache } = await openCache({
  ...(REDIS_URL !== undefined && { REDIS_URL }),
  ...(REDIS_COMMAND_TIMEOUT_MS !== undefined && { REDIS_COMMAND_TIMEOUT_MS }),
});
const family = new CacheFamily<{ by: string }>('cold');

async function obey({ key, callers, loadMs }: Order): Promise<CacheReport> {
  let loads = 0;
  const load = async (): Promise<{ by: string }> => {
    loads++;
    await delay(loadMs);
    return { by: String(process.pid) };
  };
  const answers = await Promise.all(
    Array.from({ length: callers }, async () => cache.wrap(family.key('acme', key), 60_000, load)),
  );
  return { type: 'report', loads, values: [...new Set(answers.map((answer) => answer?.by ?? 'none'))] };
}

process.on('message', (order: Order) => {
  void obey(order).then((report) => process.send?.(report));
});
process.send?.({ type: 'listening', url: '' });
