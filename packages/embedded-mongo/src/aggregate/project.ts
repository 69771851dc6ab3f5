import { isDoc, isNumeric, newDoc, pathKeys, toNumber, type Doc, type Value } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import { bindExpression, type PipelineContext, type StageBuilder } from './context.js';
import { mapping } from './stream.js';

/** A projection as a tree of path components. */
type Node =
  | { kind: 'include' }
  | { kind: 'exclude' }
  | { kind: 'compute'; value: (doc: Doc) => Value }
  | { kind: 'branch'; children: Map<string, Node> };

type Branch = Extract<Node, { kind: 'branch' }>;

const branch = (): Branch => ({ kind: 'branch', children: new Map() });

const isExpressionObject = (value: Doc): boolean => Object.keys(value)[0]?.startsWith('$') ?? false;

function put(root: Branch, path: string, node: Node): void {
  const names = pathKeys(path);
  if (names.some((name) => name === ''))
    throw new ServerError(40353, `FieldPath '${path}' has an empty component`);
  let at = root;
  names.forEach((name, index) => {
    if (name.startsWith('$')) {
      throw new ServerError(
        16410,
        `FieldPath field names may not start with '$'. Consider using $getField or $setField.`,
      );
    }
    const known = at.children.get(name);
    const last = index === names.length - 1;
    if (known && (last || known.kind !== 'branch')) {
      throw new ServerError(31249, `Path collision at ${path}`);
    }
    if (last) at.children.set(name, node);
    else if (known?.kind === 'branch') at = known;
    else {
      const next = branch();
      at.children.set(name, next);
      at = next;
    }
  });
}

interface Modes {
  includes: string | undefined;
  excludes: string | undefined;
}

function parse(spec: Doc, context: PipelineContext, root: Branch, prefix: string, modes: Modes): void {
  for (const [name, value] of Object.entries(spec)) {
    const path = prefix + name;
    if (isNumeric(value) || typeof value === 'boolean') {
      const included = typeof value === 'boolean' ? value : toNumber(value) !== 0;
      if (path !== '_id') {
        if (included) modes.includes ??= path;
        else modes.excludes ??= path;
      }
      put(root, path, { kind: included ? 'include' : 'exclude' });
    } else if (isDoc(value) && !isExpressionObject(value)) {
      if (Object.keys(value).length === 0) {
        throw new ServerError(
          51270,
          `An empty sub-projection is not a valid value. Found empty object at path ${path}`,
        );
      }
      parse(value, context, root, `${path}.`, modes);
    } else {
      modes.includes ??= path;
      put(root, path, { kind: 'compute', value: bindExpression(value, context) });
    }
  }
}

/**
 * Sets the computed fields of `node` on a copy of `value`. Where the path contains an array, sets them in
 * each element.
 */
function compute(value: Value, node: Branch, root: Doc): Value {
  if (Array.isArray(value)) return value.map((item) => compute(item, node, root));
  const result: Doc = newDoc();
  if (isDoc(value)) Object.assign(result, value);
  for (const [name, child] of node.children) {
    if (child.kind === 'compute') assign(result, name, child.value(root));
    else if (child.kind === 'branch' && hasComputed(child))
      assign(result, name, compute(result[name], child, root));
  }
  return result;
}

function assign(doc: Doc, name: string, value: Value): void {
  if (value === undefined) delete doc[name];
  else doc[name] = value;
}

const hasComputed = (node: Branch): boolean =>
  [...node.children.values()].some(
    (child) => child.kind === 'compute' || (child.kind === 'branch' && hasComputed(child)),
  );

function include(value: Value, node: Branch): Value {
  if (Array.isArray(value)) {
    return value.map((item) => include(item, node)).filter((item) => item !== undefined);
  }
  if (!isDoc(value)) return undefined;
  const result: Doc = newDoc();
  for (const name of Object.keys(value)) {
    const child = node.children.get(name);
    if (!child || child.kind === 'exclude') continue;
    if (child.kind === 'include') result[name] = value[name];
    else if (child.kind === 'branch') {
      const kept = include(value[name], child);
      if (kept !== undefined) result[name] = kept;
    }
  }
  return result;
}

function exclude(value: Value, node: Branch): Value {
  if (Array.isArray(value)) return value.map((item) => exclude(item, node));
  if (!isDoc(value)) return value;
  const result: Doc = newDoc();
  for (const name of Object.keys(value)) {
    const child = node.children.get(name);
    if (!child || child.kind === 'include') result[name] = value[name];
    else if (child.kind === 'branch') result[name] = exclude(value[name], child);
  }
  return result;
}

export const project: StageBuilder = (spec, context) => {
  if (!isDoc(spec)) throw new ServerError(15969, '$project specification must be an object');
  if (Object.keys(spec).length === 0)
    throw new ServerError(51272, 'projection specification must have at least one field');
  const root = branch();
  const modes: Modes = { includes: undefined, excludes: undefined };
  parse(spec, context, root, '', modes);
  if (modes.includes !== undefined && modes.excludes !== undefined) {
    throw new ServerError(31254, `Cannot do exclusion on field ${modes.excludes} in inclusion projection`);
  }
  const id = root.children.get('_id');
  const excludes = modes.includes === undefined && (modes.excludes !== undefined || id?.kind === 'exclude');
  if (excludes) return mapping((doc) => exclude(doc, root) as Doc);
  if (!id) root.children.set('_id', { kind: 'include' });
  const computes = hasComputed(root);
  return mapping((doc) => {
    const kept = include(doc, root) as Doc;
    return computes ? (compute(kept, root, doc) as Doc) : kept;
  });
};

export const addFields: StageBuilder = (spec, context) => {
  if (!isDoc(spec)) throw new ServerError(40272, '$addFields specification stage must be an object');
  if (Object.keys(spec).length === 0)
    throw new ServerError(40177, 'specification must have at least one field');
  const root = branch();
  const parseFields = (fields: Doc, prefix: string): void => {
    for (const [name, value] of Object.entries(fields)) {
      if (isDoc(value) && Object.keys(value).length > 0 && !isExpressionObject(value))
        parseFields(value, `${prefix}${name}.`);
      else put(root, prefix + name, { kind: 'compute', value: bindExpression(value, context) });
    }
  };
  parseFields(spec, '');
  return mapping((doc) => compute(doc, root, doc) as Doc);
};

export const unset: StageBuilder = (spec) => {
  const paths = typeof spec === 'string' ? [spec] : spec;
  if (!Array.isArray(paths) || paths.length === 0 || !paths.every((path) => typeof path === 'string')) {
    throw new ServerError(31002, '$unset specification must be a string or an array of strings');
  }
  const root = branch();
  for (const path of paths) put(root, path, { kind: 'exclude' });
  return mapping((doc) => exclude(doc, root) as Doc);
};
