// npm run bench -- zipf: measures the hit rate of each tier of the session state under a Zipf load, compared
// with an ideal LRU of the size of L1 on the same sequence. Each message opens and saves a session through
// the SessionService of a whole application in this process; Redis and the embedded store run in separate
// processes.
import { join } from 'node:path';
import { Command } from 'commander';
import { concurrently, Progress } from '../src/cli/index.js';
import { wholeNumber } from '../test/support/options.js';
import { seededRandom } from '../test/support/random.js';
import { SessionService } from '../src/session/index.js';
import { renderTable } from '@colloquy/embedded-mongo/bench';
import { openBenchApp, startServers } from '../test/support/bench-app.js';
import { hitsOfLru, newcomers, zipfSequence } from './sessions/zipf-load.js';
import { readTierOpens, type TierOpens } from './sessions/tier-stats.js';

const storeChild = join(import.meta.dirname, '..', 'test', 'proofs', 'store', 'store-child.js');
const TENANT = 'zipf';

/** Minimum share of opened sessions that L1 and L2 must serve together. */
const LEAST_SHARE = 0.8;

interface Options {
  messages: number;
  participants: number;
  active: number;
  clients: number;
  seed: number;
}

async function play(sequence: readonly number[], { active, clients }: Options): Promise<TierOpens> {
  const servers = await startServers(storeChild, true);
  try {
    const { app, adminKey } = await openBenchApp({ ...servers.env, MAX_ACTIVE_SESSIONS: String(active) });
    try {
      await app.init();
      await app.getHttpAdapter().getInstance().ready();
      const sessions = app.get(SessionService);
      const progress = new Progress('messages', sequence.length, process.stderr);
      await concurrently(sequence, clients, async (participant) => {
        await sessions.withRetry(TENANT, `participant-${participant}`, (state) =>
          sessions.save(state, { context: { count: Number(state.context['count'] ?? 0) + 1 } }),
        );
        progress.advance();
      });
      progress.finish();
      return await readTierOpens(app, adminKey);
    } finally {
      await app.close();
    }
  } finally {
    await servers.close();
  }
}

async function bench(options: Options): Promise<boolean> {
  const { messages, participants, active, clients, seed } = options;
  const sequence = zipfSequence(messages, participants, seededRandom(seed));
  const { l1, l2, database, none, hasL2 } = await play(sequence, options);
  const rows: [string, number][] = [
    ['L1: the memory of this process', l1],
    ['L2: Redis', l2],
    ['L1 and L2 together', l1 + l2],
    ['database', database],
    ['none: the first message', none],
    [`ideal LRU of ${active.toLocaleString('en-US')}`, hitsOfLru(sequence, active)],
    ['upper limit: all but first messages', messages - newcomers(sequence)],
  ];
  process.stdout.write(
    `Zipf (1.0), seed ${seed}: ${messages} messages (open and save) of ${participants} participants, ${clients} clients, ` +
      `MAX_ACTIVE_SESSIONS=${active}\n\n` +
      renderTable(
        ['served by', 'messages', 'share'],
        rows.map(([name, hits]) => [
          name,
          hits.toLocaleString('en-US'),
          `${((100 * hits) / messages).toFixed(2)} %`,
        ]),
      ),
  );
  if (!hasL2) {
    process.stdout.write('\nThere is no second tier, so the goal of 80 % cannot be checked.\n');
    return false;
  }
  const met = l1 + l2 >= LEAST_SHARE * messages;
  process.stdout.write(`\nL1 and L2 together serve ${met ? '80 % or more' : 'LESS than 80 %'}.\n`);
  return met;
}

await new Command('npm run bench -- zipf')
  .description(
    'Measures hit rates of the tiers of session state under a Zipf load, compared with an ideal LRU.',
  )
  .option('--messages <count>', 'total number of messages', wholeNumber, 50_000)
  .option('--participants <count>', 'number of participants', wholeNumber, 10_000)
  .option('--active <count>', 'value of MAX_ACTIVE_SESSIONS', wholeNumber, 1000)
  .option('--clients <count>', 'number of concurrent messages', wholeNumber, 16)
  .option('--seed <number>', 'seed of the sequence; the same seed gives the same sequence', wholeNumber, 1)
  .action(async (options: Options) => {
    process.exitCode = (await bench(options)) ? 0 : 1;
  })
  .parseAsync();
