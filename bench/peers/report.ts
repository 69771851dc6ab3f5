import { figure } from '@colloquy/embedded-mongo/bench';
import { peerRoutes } from './routes.js';
import type { Row } from './rounds.js';
import type { TargetName } from './targets.js';
import type { TranscriptRow } from './transcripts.js';

/** The run fails if a larger share of the requests of one row fails. */
export const MOST_FAILED = 0.001;

const GOAL_CONNECTIONS = 64;

/**
 * Renders a Markdown table as formatted by Prettier. The first `left` columns are left-aligned, the others
 * right-aligned.
 */
function markdownTable(heads: readonly string[], rows: readonly (readonly string[])[], left: number): string {
  const widths = heads.map((head, column) =>
    Math.max(3, head.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${cells
      .map((cell, column) =>
        column < left ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join(' | ')} |\n`;
  const rule = widths.map((width, column) =>
    column < left ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`,
  );
  return line(heads) + line(rule) + rows.map(line).join('');
}

const orNone = (value: number): string => (Number.isFinite(value) ? figure(value) : 'n/a');
const ratio = (value: number): string =>
  Number.isFinite(value) ? value.toFixed(value < 0.1 ? 3 : 2) : 'n/a';

const labelOf = (name: string): string => {
  const route = peerRoutes.find((one) => one.name === name);
  return route ? `${name}: ${route.method} ${route.template}` : name;
};

/** Renders all figures of all targets. */
export const renderRows = (rows: readonly Row[]): string =>
  markdownTable(
    [
      'route',
      'target',
      'connections',
      'req/s',
      'p50, ms',
      'p99, ms',
      'main thread, µs/req',
      'commands/req',
      'req/s : bare',
      'by CPU : bare',
      'failed',
    ],
    rows.map((row) => [
      row.route,
      row.target,
      String(row.connections),
      orNone(row.perSecond),
      orNone(row.p50),
      orNone(row.p99),
      orNone(row.cpuPerRequest),
      row.target === 'bare' ? '0' : orNone(row.commandsPerRequest),
      ratio(row.ratio),
      ratio(row.cpuRatio),
      String(row.failed),
    ]),
    2,
  );

/**
 * Renders the ratios to the bare server at 64 connections and their goals. Empty when nothing was measured at
 * 64 connections.
 */
export function renderGoals(rows: readonly Row[]): string {
  const at = (route: string, target: TargetName): Row | undefined =>
    rows.find((row) => row.route === route && row.target === target && row.connections === GOAL_CONNECTIONS);
  const measured = peerRoutes.flatMap(({ name, goal }) => {
    const row = at(name, 'this');
    return row ? [{ name, goal, row, against: at(name, 'against') }] : [];
  });
  if (measured.length === 0) return '';
  return markdownTable(
    ['route', 'goal', 'this', 'by CPU', 'against', 'by CPU', 'this : against', 'goal met'],
    measured.map(({ name, goal, row, against }) => [
      labelOf(name),
      ratio(goal),
      ratio(row.ratio),
      ratio(row.cpuRatio),
      ratio(against?.ratio ?? NaN),
      ratio(against?.cpuRatio ?? NaN),
      ratio(row.perSecond / (against?.perSecond ?? NaN)),
      row.ratio >= goal ? 'yes' : 'no',
    ]),
    1,
  );
}

export const renderTranscripts = (rows: readonly TranscriptRow[]): string =>
  markdownTable(
    ['target', 'sent/s', 'p50, ms', 'p95, ms', 'p99, ms', 'longest, ms', 'stored/s'],
    rows.map(({ target, perSecond, server, storedPerSecond }) => [
      target,
      ...[perSecond, server.p50, server.p95, server.p99, server.max, storedPerSecond].map(orNone),
    ]),
    1,
  );

/** Renders the failures, one line for each row with failures. */
export const renderFailures = (
  rows: readonly Pick<Row, 'route' | 'target' | 'connections' | 'requests' | 'failed'>[],
): string =>
  rows
    .filter(({ failed }) => failed > 0)
    .map(
      ({ route, target, connections, requests, failed }) =>
        `${failed / requests > MOST_FAILED ? 'TOO MANY FAILURES' : 'failures'}: ${failed} of ${requests} requests (${((failed / requests) * 100).toFixed(3)} %) ` +
        `of ${route} to ${target} at ${connections} connections\n`,
    )
    .join('');
