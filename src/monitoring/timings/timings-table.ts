import type { TimingSummary } from './durations.js';

export interface OperationStats extends TimingSummary {
  operation: string;
}

const milliseconds = (value: number | null): string =>
  value === null ? '-' : value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : value.toFixed(0);

const columns: readonly [title: string, cell: (stats: OperationStats) => string][] = [
  ['operation', ({ operation }) => operation],
  ['count', ({ count }) => String(count)],
  ['errors', ({ errorRate }) => `${(errorRate * 100).toFixed(1)} %`],
  ['mean ms', ({ meanMs }) => milliseconds(meanMs)],
  ['p50 ms', ({ p50Ms }) => milliseconds(p50Ms)],
  ['p95 ms', ({ p95Ms }) => milliseconds(p95Ms)],
  ['p99 ms', ({ p99Ms }) => milliseconds(p99Ms)],
  ['max ms', ({ maxMs }) => milliseconds(maxMs)],
];

/** One line per operation, with names left-aligned and numbers right-aligned. */
export function timingsTable(all: readonly OperationStats[]): string {
  const rows = [columns.map(([title]) => title), ...all.map((one) => columns.map(([, cell]) => cell(one)))];
  const widths = columns.map((_, place) => Math.max(...rows.map((row) => row[place]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, place) =>
          place === 0 ? cell.padEnd(widths[place] ?? 0) : cell.padStart(widths[place] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
