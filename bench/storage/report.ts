import { figure, renderTable } from '@colloquy/embedded-mongo/bench';

/** The target for a figure. */
export interface Target {
  is: 'below' | 'at least';
  limit: number;
}

export interface FigureRow {
  /** Number of the test, 1 to 5. */
  test: number;
  name: string;
  /** Empty for counts. */
  unit: 'ms' | '/s' | 'x' | 'MiB' | 's' | '';
  value: number;
  /** The same figure for the naive approach, if it was measured. */
  naive?: number;
  target?: Target;
}

export const below = (limit: number): Target => ({ is: 'below', limit });
export const atLeast = (limit: number): Target => ({ is: 'at least', limit });

export function verdictOf({ value, target }: FigureRow): '' | 'pass' | 'fail' {
  if (!target) return '';
  const isReached = target.is === 'below' ? value < target.limit : value >= target.limit;
  return isReached ? 'pass' : 'fail';
}

/** How many times better than the naive approach: faster, or more per second. */
function ratioOf({ value, naive, unit }: FigureRow): string {
  if (naive === undefined) return '';
  return `${figure(unit === '/s' ? value / naive : naive / value)}x`;
}

const withUnit = (value: number | undefined, unit: string): string =>
  value === undefined ? '' : `${figure(value)}${['/s', 'x', ''].includes(unit) ? unit : ` ${unit}`}`;

const targetText = ({ target, unit }: FigureRow): string =>
  target ? `${target.is === 'below' ? '<' : '>='} ${withUnit(target.limit, unit)}` : '';

/** Renders the figures of one test or of all tests. */
export function renderFigures(rows: readonly FigureRow[]): string {
  return renderTable(
    ['figure', 'test', 'target', 'measured', '', 'naive', 'better by'],
    rows.map((row) => [
      row.name,
      String(row.test),
      targetText(row),
      withUnit(row.value, row.unit),
      verdictOf(row),
      withUnit(row.naive, row.unit),
      ratioOf(row),
    ]),
  );
}
