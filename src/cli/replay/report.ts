import type { ReplayResult } from './replay.js';

const shownMismatches = 20;

const number = (value: number): string => value.toLocaleString('en-US');
const ms = (value: number | undefined): string =>
  value === undefined || Number.isNaN(value) ? '-' : `${value.toFixed(1)} ms`;

const total = (errors: ReadonlyMap<string, number>): number =>
  [...errors.values()].reduce((sum, count) => sum + count, 0);

/** Whether everything that was sent was read back unchanged, and no request failed. */
export const succeeded = ({ mismatches, errors }: ReplayResult): boolean =>
  mismatches.length === 0 && errors.size === 0;

/** Renders the counts and times of a replay as text. */
export function renderReport(result: ReplayResult, concurrency: number): string {
  const { appendLatency, errors, errorExamples, mismatches, writeMs } = result;
  const [p50, p95, p99] = appendLatency.percentiles(0.5, 0.95, 0.99);
  const rate = writeMs > 0 ? (result.turns / writeMs) * 1000 : 0;
  const rows: [string, string][] = [
    ['dialogues', number(result.dialogues)],
    ['turns', number(result.turns)],
    ['messages compared', number(result.messagesCompared)],
    ['goals compared', number(result.goalsCompared)],
    ['mismatches', number(mismatches.length)],
    ['failed requests', number(total(errors))],
    ['concurrency', number(concurrency)],
    [
      'duration',
      `${(writeMs / 1000).toFixed(1)} s writing, ${(result.readMs / 1000).toFixed(1)} s reading back`,
    ],
    ['turns per second', number(Math.round(rate))],
    ['append latency', `p50 ${ms(p50)}  p95 ${ms(p95)}  p99 ${ms(p99)}`],
  ];
  const lines = rows.map(([name, value]) => `${name.padEnd(18)} ${value}`);
  for (const [code, count] of errors) lines.push(`  ${number(count)} x ${code}`);
  lines.push(...errorExamples.map((example) => `  ${example}`));
  lines.push(...mismatches.slice(0, shownMismatches).map((mismatch) => `  ${mismatch}`));
  if (mismatches.length > shownMismatches)
    lines.push(`  and ${number(mismatches.length - shownMismatches)} more mismatches`);
  return `${lines.join('\n')}\n`;
}
