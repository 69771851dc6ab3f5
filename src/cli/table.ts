import type { CollectionReport, IndexReport } from '../database/index.js';

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** Formats bytes for display, with about three digits and binary units. */
export function renderBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit] ?? ''}`;
}

const UNKNOWN = 'unknown';

const bytesText = (bytes: number | undefined): string => (bytes === undefined ? UNKNOWN : renderBytes(bytes));

/** Renders rows with aligned columns. Columns whose index is in `right` are right-aligned. */
export function renderTable(rows: readonly (readonly string[])[], right: ReadonlySet<number>): string {
  const widths: number[] = [];
  for (const row of rows)
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) =>
        right.has(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd();
  return rows.map((row) => `${line(row)}\n`).join('');
}

const keyText = (key: Record<string, unknown>): string =>
  Object.entries(key)
    .map(([field, direction]) => (direction === 1 ? field : `${field}:${String(direction)}`))
    .join(' ');

const stateOf = ({ created, undeclared }: IndexReport): string =>
  undeclared ? 'undeclared' : created ? 'new' : 'kept';

/** Renders a table of every collection and index, and a line of totals. */
export function renderIndexReport(reports: readonly CollectionReport[]): string {
  const rows = [['collection', 'documents', 'data', 'index', 'key', 'state', 'size']];
  for (const { collection, documents, dataBytes, indexes } of reports)
    for (const [position, index] of indexes.entries()) {
      const owner =
        position === 0
          ? [collection, documents?.toLocaleString('en-US') ?? UNKNOWN, bytesText(dataBytes)]
          : ['', '', ''];
      rows.push([...owner, index.name, keyText(index.key), stateOf(index), bytesText(index.bytes)]);
    }
  const all = reports.flatMap(({ indexes }) => indexes);
  const count = (state: string): number => all.filter((index) => stateOf(index) === state).length;
  const totals = `${reports.length} collections, ${all.length} indexes: ${count('new')} new, ${count('kept')} kept, ${count('undeclared')} undeclared.\n`;
  const hint =
    count('undeclared') > 0
      ? 'Undeclared indexes exist in the database but in no schema; they were not changed.\n'
      : '';
  return `${renderTable(rows, new Set([1, 2, 6]))}\n${totals}${hint}`;
}
