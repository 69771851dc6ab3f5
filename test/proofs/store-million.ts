// npm run verify -- store-million: compares pages, memory use and fairness of the embedded store with
// 1,000,000 messages and with 10,000.
import { join } from 'node:path';
import { Command } from 'commander';
import { wholeNumber } from '../support/options.js';
import { type Memory, type MillionResult, runMillion } from './store/million-run.js';
import type { PageTimes } from './store/million-pages.js';

const LARGEST_RATIO = 1.5;

const folder = join(import.meta.dirname, 'store');

const quantile = (times: readonly number[], share: number): number =>
  [...times].sort((a, b) => a - b)[Math.min(times.length - 1, Math.floor(times.length * share))] ?? NaN;

const ratioOf = (result: MillionResult, kind: keyof PageTimes): number =>
  quantile(result.large[kind], 0.5) / quantile(result.small[kind], 0.5);

const renderMemory = (memory: Memory): string =>
  memory
    ? `${memory.own.toFixed(0).padStart(6)} MiB own  ${memory.mapped.toFixed(0).padStart(6)} MiB mapped`
    : 'not known';

function render(result: MillionResult, small: number, large: number): string {
  const kinds = Object.keys(result.small) as (keyof PageTimes)[];
  const rows = kinds.map((kind) => {
    const [few, many] = [quantile(result.small[kind], 0.5), quantile(result.large[kind], 0.5)];
    return `${kind.padEnd(24)}${few.toFixed(3).padStart(12)}${many.toFixed(3).padStart(12)}${(many / few).toFixed(2).padStart(8)}\n`;
  });
  const { documents, ms, waits } = result.scan;
  const scanned = `scan of ${documents} documents in ${(ms / 1000).toFixed(1)} s`;
  const wait = (share: number): string => quantile(waits, share).toFixed(2);
  return (
    `\nmedians, ms; the late page is number ${result.latePages.small} and number ${result.latePages.large}\n` +
    `${'page of 50'.padEnd(24)}${String(small).padStart(12)}${String(large).padStart(12)}${'ratio'.padStart(8)}\n` +
    `${rows.join('')}\n` +
    `${scanned}; findOne during the scan (${waits.length} times): p50 ${wait(0.5)}, p99 ${wait(0.99)}, maximum ${wait(1)} ms\n\n` +
    `resident memory of the store process (mapped: pages of its file, which the operating system may reclaim)\n` +
    result.memory.map(({ when, memory }) => `${when.padEnd(24)}${renderMemory(memory)}\n`).join('')
  );
}

interface Options {
  small: number;
  large: number;
  repetitions: number;
}

await new Command('npm run verify -- store-million')
  .description('Compares pages from a large collection with pages from a small one in the embedded store.')
  .option('--small <count>', 'number of messages in the small store', wholeNumber, 10_000)
  .option('--large <count>', 'number of messages in the large store', wholeNumber, 1_000_000)
  .option('--repetitions <count>', 'how often each page is read', wholeNumber, 600)
  .action(async ({ small, large, repetitions }: Options) => {
    const result = await runMillion({
      small,
      large,
      repetitions,
      main: join(folder, 'store-child.js'),
      scanner: join(folder, 'million-scanner.js'),
      say: (text) => process.stdout.write(text),
    });
    process.stdout.write(render(result, small, large));
    const kinds = Object.keys(result.small) as (keyof PageTimes)[];
    const slower = kinds.filter((kind) => ratioOf(result, kind) > LARGEST_RATIO);
    if (slower.length === 0) return;
    process.stdout.write(`More than ${LARGEST_RATIO} times slower: ${slower.join(', ')}.\n`);
    process.exitCode = 1;
  })
  .parseAsync();
