// Helpers for building the page. Text is always inserted as text, never as HTML.

/** @param {string} id @returns {HTMLElement} */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no #${id}`);
  return element;
}

/**
 * @param {Node} node @param {string} text is only written if it differs, so that screen readers do not
 * announce it again
 */
export const setText = (node, text) => {
  if (node.textContent !== text) node.textContent = text;
};

/**
 * @param {Node & ParentNode} node @param {string} text can be broken after separators, for long names without
 * spaces
 */
export function setBreakableText(node, text) {
  if (node.textContent === text) return;
  const parts = text === '' ? [] : text.split(/(?<=[/_,(-])/);
  node.replaceChildren(...parts.flatMap((part) => [document.createTextNode(part), create('wbr')]));
}

/**
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {{ text?: string, class?: string, [attribute: string]: string | undefined }} [attributes]
 * @param {Node[]} [children]
 * @returns {HTMLElementTagNameMap[Name]}
 */
export function create(name, { text, ...attributes } = {}, children = []) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes))
    if (value !== undefined) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  element.append(...children);
  return element;
}

/**
 * A column of a table. The first column is the header of its row.
 * @template Row
 * @typedef {object} Column
 * @property {string} title
 * @property {(row: Row) => string} read
 * @property {boolean} [isNumber]
 * @property {boolean} [isShort]
 * @property {boolean} [isMinor] hidden on phones
 * @property {(row: Row) => string | undefined} [mark]
 */

/**
 * @param {{ isNumber?: boolean, isShort?: boolean, isMinor?: boolean }} column minor columns are hidden on
 * phones
 */
const classOf = ({ isNumber, isShort, isMinor }) =>
  [isNumber && 'number', isShort && 'short', isMinor && 'minor'].filter(Boolean).join(' ') || undefined;

/**
 * Sets roles explicitly, because browsers do not treat rows with another layout, as on phones, as rows.
 * @param {Column<never>[]} columns @param {'head' | 'body'} part
 */
const newRow = (columns, part) =>
  create(
    'tr',
    { role: 'row' },
    columns.map((column, index) => {
      const className = classOf(column);
      if (part === 'head')
        return create('th', { scope: 'col', role: 'columnheader', class: className, text: column.title });
      return index === 0
        ? create('th', { scope: 'row', role: 'rowheader', class: className })
        : create('td', { role: 'cell', class: className, 'data-title': column.title });
    }),
  );

/**
 * Updates only cells that have changed, so that selections and the reading position are kept.
 * @template Row
 * @param {string} id @param {Column<Row>[]} columns @param {readonly Row[]} rows
 * @param {string} empty text that is shown when there are no rows
 */
export function fillTable(id, columns, rows, empty) {
  const table = byId(id);
  const body = table instanceof HTMLTableElement ? table.tBodies[0] : undefined;
  const head = table instanceof HTMLTableElement ? table.tHead : undefined;
  if (!head || !body) throw new Error(`#${id} is not a table`);
  if (!head.firstChild) head.append(newRow(columns, 'head'));
  if (rows.length === 0) {
    const cell = create('td', { role: 'cell', colspan: String(columns.length), class: 'empty', text: empty });
    if (body.textContent !== empty) body.replaceChildren(create('tr', { role: 'row' }, [cell]));
    return;
  }
  if (body.querySelector('.empty')) body.replaceChildren();
  while (body.rows.length > rows.length) body.deleteRow(-1);
  while (body.rows.length < rows.length) body.append(newRow(columns, 'body'));
  rows.forEach((row, line) => {
    columns.forEach((column, index) => {
      const cell = body.rows[line]?.cells[index];
      if (!cell) return;
      if (column.isNumber || column.isShort) setText(cell, column.read(row));
      else setBreakableText(cell, column.read(row));
      cell.dataset['mark'] = column.mark?.(row) ?? '';
    });
  });
}

/**
 * A fact: its name, its value, and how it is highlighted (`warning`, `critical`).
 * @typedef {readonly [name: string, value: string, mark?: string | undefined]} Fact
 */

/** @param {string} id of a description list @param {readonly Fact[]} facts */
export function fillFacts(id, facts) {
  const list = byId(id);
  const isSame = list.childElementCount === facts.length;
  if (!isSame) list.replaceChildren(...facts.map(() => create('div', {}, [create('dt'), create('dd')])));
  facts.forEach(([name, value, mark = ''], index) => {
    const [term, description] = list.children[index]?.children ?? [];
    if (!(term instanceof HTMLElement) || !(description instanceof HTMLElement)) return;
    setText(term, name);
    setText(description, value);
    description.dataset['mark'] = mark;
  });
}
