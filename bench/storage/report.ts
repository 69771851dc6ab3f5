import { figure, renderTable } from '@colloquy/embedded-mongo/bench';

/** What a figure is to reach. */
export interface Target {
  is: 'below' | 'at least';
  limit: number;
}

export interface FigureRow {
  /** Of the five tests: its number. */
  test: number;
  name: string;
  /** Empty: a number of things. */
  unit: 'ms' | '/s' | 'x' | 'MiB' | 's' | '';
  value: number;
  /** The same of the naive way, where it was measured. */
  naive?: number;
  target?: Target;
}

export const below = (limit: number): Target => ({ is: 'below', limit });
export const atLeast = (limit: number): Target => ({ is: 'at least', limit });

export function verdictOf({ value, target }: FigureRow): '' | 'pass' | 'falls short' {
  if (!target) return '';
  const isReached = target.is === 'below' ? value < target.limit : value >= target.limit;
  return isReached ? 'pass' : 'falls short';
}

/** How many times better than the naive way: faster, or more a second. */
function ratioOf({ value, naive, unit }: FigureRow): string {
  if (naive === undefined) return '';
  return `${figure(unit === '/s' ? value / naive : naive / value)}x`;
}

const withUnit = (value: number | undefined, unit: string): string =>
  value === undefined ? '' : `${figure(value)}${['/s', 'x', ''].includes(unit) ? unit : ` ${unit}`}`;

const targetText = ({ target, unit }: FigureRow): string =>
  target ? `${target.is === 'below' ? '<' : '>='} ${withUnit(target.limit, unit)}` : '';

/** The figures of one test, or of all. */
export function renderFigures(rows: readonly FigureRow[]): string {
  return renderTable(
    ['figure', 'test', 'target', 'measured', '', 'naive way', 'better by'],
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
