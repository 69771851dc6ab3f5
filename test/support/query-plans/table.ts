import { keyText, type Plan, shapeOf, type Statement } from './plan.js';

/** One query of a method, with the plan that the database uses for it. */
export interface ExplainedQuery {
  method: string;
  statement: Statement;
  plan: Plan;
}

const head = `# Queries and their indexes

Every query that the application sends to the database, with the index that the embedded store uses for
it. This includes the queries of the repositories, and the updates in group commit transactions, listed by
the class that declared the unit of work. Inserts are left out because they search nothing. The command
\`npm run db:plans\` writes this page: it runs the whole application, calls each method with each combination of its
filters, records the commands that are sent to the database, and explains each of them.
\`test/integration/query-plans.spec.ts\` fails if this page is out of date, if a method has no test case, if
a command was sent by none of these classes, or if a query

- reads a whole collection, or a whole index without a limit;
- sorts in memory, because the index does not provide the order.

**range**, **in**, **not in**, **not** and **exists** are conditions; a field without a condition is
compared for equality. In the column "index", the bold part of the key is limited to a range of values,
and the rest provides the order. A query by \`_id\` reads one document.
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

/** Renders a Markdown table in the format of Prettier. */
function markdown(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows)
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 3, cell.length);
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |\n`;
  const [first = [], ...others] = rows;
  return [line(first), line(widths.map((width) => '-'.repeat(width))), ...others.map(line)].join('');
}

/** Renders the contents of docs/queries.md. */
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
