// npm run bench -- sessions: measures the in-memory sessions of one process (L1) with 1,000,000 distinct
// sessions: whether memory stays bounded, the cost of an access, and how long a cleanup blocks the process.
// No database is involved.
import { SchedulerRegistry } from '@nestjs/schedule';
import { Command } from 'commander';
import { wholeNumber } from '../test/support/options.js';
import { loadSettings } from '../src/config/index.js';
import { createLogger } from '../src/logging/index.js';
import { ConversationStateManager } from '../src/session/index.js';
import {
  type Access,
  accessTimes,
  type Clock,
  type Memory,
  memoryUnderLoad,
  sweepTimes,
} from './sessions/l1.js';
import { figure, renderTable } from '@colloquy/embedded-mongo/bench';

/** The heap counts as flat up to this ratio between the last mark and the first. */
const LARGEST_GROWTH = 1.1;

const managerFor = (env: Readonly<Record<string, string>>, clock: Clock): ConversationStateManager =>
  new ConversationStateManager(
    loadSettings(env).session,
    createLogger({ level: 'silent', pretty: false }),
    clock,
    new SchedulerRegistry(),
  );

const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

const renderMemory = (memory: readonly Memory[]): string =>
  renderTable(
    ['distinct sessions', 'in memory', 'heap used', 'resident'],
    memory.map(({ sessions, held, heapUsed, rss }) => [
      sessions.toLocaleString('en-US'),
      held.toLocaleString('en-US'),
      mebibytes(heapUsed),
      mebibytes(rss),
    ]),
  );

const renderAccess = (access: readonly Access[]): string =>
  renderTable(
    ['microseconds', 'accesses', 'p50', 'p99', 'worst batch'],
    access.map(({ name, count, batches }) => [
      name,
      count.toLocaleString('en-US'),
      ...batches.percentiles(0.5, 0.99, 1).map(figure),
    ]),
  );

function renderSweeps(sizes: readonly number[]): string {
  const rows = sizes.map((size) => {
    const bounds = { MAX_ACTIVE_SESSIONS: String(size), SESSION_MEMORY_BYTES: String(2 ** 34) };
    const sweeps = sweepTimes(
      (clock) => managerFor(bounds, clock),
      size,
      loadSettings({}).session.SESSION_IDLE_TTL_MS,
    );
    const [p50, worst] = sweeps.times.percentiles(0.5, 1);
    return [`${sweeps.removed.toLocaleString('en-US')} expired`, figure(p50 ?? NaN), figure(worst ?? NaN)];
  });
  return renderTable(['cleanup pause, ms', 'median', 'worst'], rows);
}

async function bench({ sessions }: { sessions: number }): Promise<boolean> {
  const manager = managerFor({}, performance);
  const marks = [10_000, 100_000, 1_000_000].filter((mark) => mark < sessions);
  const memory = memoryUnderLoad(manager, [...marks, sessions]);
  process.stdout.write(`${renderMemory(memory)}\n`);
  const { evictions } = manager.getStats();
  const growth = (memory.at(-1)?.heapUsed ?? NaN) / (memory[0]?.heapUsed ?? NaN);
  const isFlat = growth <= LARGEST_GROWTH;
  process.stdout.write(
    `heap: ${isFlat ? 'flat' : 'NOT flat'}, ${((growth - 1) * 100).toFixed(1)} % since the first mark; ` +
      `${evictions.toLocaleString('en-US')} evictions\n\n`,
  );
  const access = accessTimes(manager);
  process.stdout.write(`${renderAccess(access.times)}`);
  process.stdout.write(
    `means of batches of ${access.batch}; ${access.hits.toLocaleString('en-US')} hits, ${access.misses.toLocaleString('en-US')} misses\n\n`,
  );
  process.stdout.write(renderSweeps([1_000, 100_000]));
  return isFlat;
}

await new Command('npm run bench -- sessions')
  .description('Measures memory, access times and cleanup pauses of the in-memory sessions of one process.')
  .option('--sessions <count>', 'number of distinct sessions', wholeNumber, 1_000_000)
  .action(async (options: { sessions: number }) => {
    process.exitCode = (await bench(options)) ? 0 : 1;
  })
  .parseAsync();
