import { keyText, type Plan, shapeOf, type Statement } from './plan.js';

/** One search that a method makes, and how the database runs it. */
export interface ExplainedQuery {
  method: string;
  statement: Statement;
  plan: Plan;
}

const head = `# Queries and their indexes

Every search that the application makes of the database, with the index that the embedded store uses for it: those of the repositories, and
those of the transactions in which \`GroupCommit\` writes units of work, by the class that made the unit. Inserts search nothing and are left
out. \`npm run db:plans\` writes this page: it runs the whole application, calls each method with each combination of its filters, records
the commands that are sent to the database, and has each of them explained. \`test/integration/query-plans.spec.ts\` fails when this page
is out of date, when a method has no case, when a command was sent by none of these classes, and when one

- reads a whole collection, or a whole index without a limit;
- sorts in memory, where the index does not give the order.

**range**, **in**, **not in**, **not**, **exists** are conditions; a field without a word is compared for equality. **Index**: the part of its
key in bold is within bounds, the rest is read in order. A search by \`_id\` reads one document.
`;

const bold = ({ indexes }: Plan): string =>
  [
    ...new Set(
      indexes.map(({ key, bounded }) =>
        key
          .split(', ')
          .map((field) =>
            bounded.includes(field.split(':')[0] ?? field) ? `**${field.replace(/^_/, '\\_')}**` : field,
          )
          .join(', '),
      ),
    ),
  ].join(' and ');

const rowOf = ({ method, statement, plan }: ExplainedQuery): string[] => {
  const { operation, filter, sort, limit } = statement;
  return [
    method.slice(method.indexOf('.') + 1),
    operation,
    shapeOf(filter) || 'all',
    [sort && Object.keys(sort).length > 0 ? keyText(sort) : '', limit && limit > 1 ? 'limit' : '']
      .filter((text) => text !== '')
      .join('; '),
    bold(plan),
  ];
};

/** A table of Markdown as Prettier writes it. */
function markdown(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows)
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 3, cell.length);
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |\n`;
  const [first = [], ...others] = rows;
  return [line(first), line(widths.map((width) => '-'.repeat(width))), ...others.map(line)].join('');
}

/** The text of docs/queries.md. */
export function renderQueries(queries: readonly ExplainedQuery[]): string {
  const byOwner = new Map<string, Map<string, string[]>>();
  for (const query of queries) {
    const owner = `${query.method.slice(0, query.method.indexOf('.'))}: ${query.statement.collection}`;
    const rows = byOwner.get(owner) ?? new Map<string, string[]>();
    const row = rowOf(query);
    byOwner.set(owner, rows.set(row.join('|'), row));
  }
  const sections = [...byOwner].map(([owner, rows]) => {
    const [name = '', collection = ''] = owner.split(': ');
    const title = `\n## ${name}, \`${collection}\`\n\n`;
    return title + markdown([['method', 'command', 'searches by', 'order', 'index'], ...rows.values()]);
  });
  const all = [...byOwner.values()].reduce((sum, rows) => sum + rows.size, 0);
  return `${head}\n${all} queries of ${new Set(queries.map(({ method }) => method)).size} methods.\n${sections.join('')}`;
}
