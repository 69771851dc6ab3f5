// Building the page. Text goes in as text, never as HTML.

/** @param {string} id @returns {HTMLElement} */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no #${id}`);
  return element;
}

/** @param {Node} node @param {string} text touches the page only where it changes, so that readers are not told again */
export const setText = (node, text) => {
  if (node.textContent !== text) node.textContent = text;
};

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
 * A column of a table. The first one names its row.
 * @template Row
 * @typedef {{ title: string, read: (row: Row) => string, isNumber?: boolean, isMinor?: boolean, mark?: (row: Row) => string | undefined }} Column
 */

/** @param {{ isNumber?: boolean, isMinor?: boolean }} column minor ones are left out on phones */
const classOf = ({ isNumber, isMinor }) =>
  [isNumber && 'number', isMinor && 'minor'].filter(Boolean).join(' ') || undefined;

/**
 * @template Row
 * @param {string} id @param {Column<Row>[]} columns @param {readonly Row[]} rows
 * @param {string} empty what is said when there are no rows
 */
export function fillTable(id, columns, rows, empty) {
  const [head, body] = byId(id).querySelectorAll('thead, tbody');
  if (!head || !body) throw new Error(`#${id} is no table`);
  if (!head.firstChild)
    head.append(
      create(
        'tr',
        {},
        columns.map((column) => create('th', { scope: 'col', class: classOf(column), text: column.title })),
      ),
    );
  if (rows.length === 0) {
    const cell = create('td', { colspan: String(columns.length), class: 'empty', text: empty });
    body.replaceChildren(create('tr', {}, [cell]));
    return;
  }
  body.replaceChildren(
    ...rows.map((row) =>
      create(
        'tr',
        {},
        columns.map((column, place) => {
          const attributes = {
            class: classOf(column),
            text: column.read(row),
            'data-mark': column.mark?.(row),
          };
          return place === 0 ? create('th', { scope: 'row', ...attributes }) : create('td', attributes);
        }),
      ),
    ),
  );
}

/**
 * A fact: its name, what it is, and how it is to be marked (`warning`, `critical`).
 * @typedef {readonly [name: string, value: string, mark?: string | undefined]} Fact
 */

/** @param {string} id a list of terms @param {readonly Fact[]} facts */
export function fillFacts(id, facts) {
  const list = byId(id);
  const isSame = list.childElementCount === facts.length;
  if (!isSame) list.replaceChildren(...facts.map(() => create('div', {}, [create('dt'), create('dd')])));
  facts.forEach(([name, value, mark = ''], place) => {
    const [term, description] = list.children[place]?.children ?? [];
    if (!(term instanceof HTMLElement) || !(description instanceof HTMLElement)) return;
    setText(term, name);
    setText(description, value);
    description.dataset['mark'] = mark;
  });
}
