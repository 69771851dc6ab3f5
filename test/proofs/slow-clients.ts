// npm run verify -- slow-clients: runs the service with a heap of 512 MiB under clients that read or write
// slowly and clients that request the largest pages. The process must survive, every request of another tenant
// must be answered, and 95 % of them within twice the time that they take without these clients.
import { Command } from 'commander';
import { wholeNumber } from '../support/options.js';
import { runSlowClients, type SlowClientsOptions } from './slow-clients/run.js';

const MAX_SLOWDOWN = 2;

const write = (line: string): void => void process.stdout.write(`${line}\n`);
const ms = (value: number): string => `${value.toFixed(1)} ms`;
const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

async function verify(options: SlowClientsOptions): Promise<boolean> {
  const result = await runSlowClients(options);
  const { quiet, loaded, failed, pagesRead, isAlive } = result;
  const slowdown = loaded.p95 / quiet.p95;
  write(
    `alone: ${quiet.count} requests, p50 ${ms(quiet.p50)}, p95 ${ms(quiet.p95)}, longest ${ms(quiet.max)}`,
  );
  write(
    `with ${options.readers} slow readers, ${options.writers} slow writers and ${options.pages} parallel pages: ` +
      `${loaded.count} requests, p50 ${ms(loaded.p50)}, p95 ${ms(loaded.p95)}, longest ${ms(loaded.max)}; ${failed} failed`,
  );
  write(`pages read: ${pagesRead}, the largest ${mib(result.largestPageBytes)}`);
  write(`ended by the service: ${result.endedReaders} readers, ${result.endedWriters} writers`);
  write(`peak memory ${mib(result.peakRssBytes)}; the process ${isAlive ? 'is alive' : 'has DIED'}`);
  write(`p95 is ${slowdown.toFixed(2)} times that without them (less than ${MAX_SLOWDOWN} allowed)`);
  return isAlive && failed === 0 && slowdown < MAX_SLOWDOWN;
}

await new Command('npm run verify -- slow-clients')
  .description(
    'Checks that slow clients and large pages neither use up the memory nor slow down other tenants.',
  )
  .option('--readers <count>', 'clients that do not read their response', wholeNumber, 100)
  .option('--writers <count>', 'clients that send their body slowly', wholeNumber, 100)
  .option('--pages <count>', 'clients that request the largest page in parallel', wholeNumber, 8)
  .option('--phase-ms <ms>', 'duration of each phase', wholeNumber, 90_000)
  .action(async (options: SlowClientsOptions) => {
    process.exitCode = (await verify(options)) ? 0 : 1;
  })
  .parseAsync();
