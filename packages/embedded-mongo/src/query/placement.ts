import { hasJavaScript } from '../expression/javascript.js';
import { ServerError } from '../values/errors.js';
import type { FieldNode, FilterNode } from './ast.js';

export type NearNode = Extract<FieldNode, { op: 'near' }>;
export type TextNode = Extract<FilterNode, { kind: 'text' }>;

interface Found {
  near: NearNode[];
  text: TextNode[];
  /** Some `$near` stands elsewhere than at the top. */
  nearBelow: boolean;
  textInNor: boolean;
}

const bad = (message: string): ServerError => new ServerError('BadValue', message);

const gather = (node: FilterNode, found: Found, top: boolean, nor: boolean): void => {
  switch (node.kind) {
    case 'and':
      for (const child of node.children) gather(child, found, top, nor);
      return;
    case 'or':
    case 'nor':
      for (const child of node.children) gather(child, found, false, nor || node.kind === 'nor');
      return;
    case 'not':
      gather(node.child, found, false, nor);
      return;
    case 'text':
      found.text.push(node);
      found.textInNor ||= nor;
      return;
    case 'field':
      if (node.op === 'near') {
        found.near.push(node);
        found.nearBelow ||= !top;
      } else if (node.op === 'elemMatchObject' || node.op === 'elemMatchValue') {
        gather(node.child, found, false, nor);
      }
      return;
    default:
  }
};

/** Refuses `$near` and `$text` where MongoDB does: `$near` only at the top, each at most once and not together. */
export const checkPlacement = (ast: FilterNode): void => {
  const found: Found = { near: [], text: [], nearBelow: false, textInNor: false };
  gather(ast, found, true, false);
  if (found.text.length > 1) throw bad('Too many text expressions');
  if (found.textInNor) throw bad('text expression not allowed in nor');
  if (found.near.length > 1) throw bad('Too many geoNear expressions');
  if (found.nearBelow) throw bad('geo $near must be top-level expr');
  if (found.near.length > 0 && found.text.length > 0) throw bad('text and geoNear not allowed in same query');
};

/** The `$near` of a filter, which stands at its top. */
export const nearOf = (ast: FilterNode): NearNode | undefined => {
  if (ast.kind === 'field') return ast.op === 'near' ? ast : undefined;
  if (ast.kind !== 'and') return undefined;
  for (const child of ast.children) {
    const found = nearOf(child);
    if (found) return found;
  }
  return undefined;
};

export const textOf = (ast: FilterNode): TextNode | undefined => {
  if (ast.kind === 'text') return ast;
  if (ast.kind !== 'and' && ast.kind !== 'or') return undefined;
  for (const child of ast.children) {
    const found = textOf(child);
    if (found) return found;
  }
  return undefined;
};

/** Whether a filter needs JavaScript, and of which kind. */
export const javaScriptOf = (ast: FilterNode): '$where' | '$function' | undefined => {
  switch (ast.kind) {
    case 'where':
      return '$where';
    case 'expr':
      return hasJavaScript(ast.expression) ? '$function' : undefined;
    case 'and':
    case 'or':
    case 'nor':
      for (const child of ast.children) {
        const found = javaScriptOf(child);
        if (found) return found;
      }
      return undefined;
    case 'not':
      return javaScriptOf(ast.child);
    default:
      return undefined;
  }
};
