import { codeText } from '../expression/function.js';
import { hasJavaScript, javaScriptDisabled, JavaScriptSession } from '../expression/javascript.js';
import { isDoc, newDoc, typeName, type Doc, type Value } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import type { AccumulatorFactory } from './accumulator.js';
import { bindExpression, type PipelineContext } from './context.js';

export function javaScriptSession({ op }: PipelineContext): JavaScriptSession {
  if (!op.javascript) throw javaScriptDisabled();
  return new JavaScriptSession(op.javascript, op);
}

/** Names of fields that a hoisted expression is computed into. */
const hoisted = '__js';

/** Takes what has `$function` in it out of a `$group`, to be computed by a stage before. */
export function hoistJavaScript(spec: Doc): { computed: Doc; group: Doc } {
  const computed = newDoc();
  const group = newDoc();
  const hoist = (value: Value): string => {
    const name = `${hoisted}${Object.keys(computed).length}`;
    computed[name] = value;
    return `$${name}`;
  };
  for (const [field, value] of Object.entries(spec)) {
    if (!hasJavaScript(value)) group[field] = value;
    else if (field === '_id') group[field] = hoist(value);
    else if (isDoc(value) && value['$accumulator'] === undefined) {
      const [operator = ''] = Object.keys(value);
      group[field] = { [operator]: hoist(value[operator]) };
    } else group[field] = value;
  }
  return { computed, group };
}

const known = new Set(['init', 'initArgs', 'accumulate', 'accumulateArgs', 'merge', 'finalize', 'lang']);

function functionText(spec: Doc, name: string): string {
  const code = codeText(spec[name]);
  if (code === undefined) {
    throw new ServerError(
      4544702,
      `$accumulator '${name}' argument must be a string or Code, but found type: ${typeName(spec[name])}`,
    );
  }
  return code;
}

/** `$accumulator`: gathers the arguments of a group, and has the client's functions called at its end. */
export function scriptedAccumulator(spec: Value, context: PipelineContext): AccumulatorFactory {
  if (!isDoc(spec)) {
    throw new ServerError(4544703, `$accumulator expects an object as an argument; found: ${typeName(spec)}`);
  }
  for (const name of Object.keys(spec)) {
    if (!known.has(name)) throw new ServerError(4544706, `$accumulator got an unexpected field: ${name}`);
  }
  for (const name of ['init', 'accumulate', 'accumulateArgs', 'merge', 'lang']) {
    if (spec[name] === undefined)
      throw new ServerError(4544708, `$accumulator missing required argument '${name}'`);
  }
  if (spec['lang'] !== 'js') {
    throw new ServerError(31419, "Currently the only supported language specifier is 'js'.");
  }
  const init = functionText(spec, 'init');
  const accumulate = functionText(spec, 'accumulate');
  functionText(spec, 'merge');
  const finalize = spec['finalize'] === undefined ? '' : functionText(spec, 'finalize');
  const args = bindExpression(spec['accumulateArgs'], context);
  const initArgs = bindExpression(spec['initArgs'] ?? [], context);
  const runner = context.op.javascript;
  if (!runner) throw javaScriptDisabled();
  return (budget) => {
    const rows: Value[] = [];
    let value: Value;
    return {
      add(doc) {
        const row = args(doc);
        if (!Array.isArray(row)) {
          throw new ServerError(4544712, 'accumulateArgs must evaluate to an array');
        }
        budget.addValue(row);
        rows.push(row);
      },
      async settle(id) {
        const given = initArgs(isDoc(id) ? id : {});
        if (!Array.isArray(given)) throw new ServerError(4544711, 'initArgs must evaluate to an array');
        const [answer] = await runner.run(
          [{ kind: 'accumulate', init, initArgs: given, accumulate, rows, finalize }],
          context.op,
        );
        if (answer && 'error' in answer) throw answer.error;
        value = answer?.value;
      },
      result: () => value ?? null,
    };
  };
}
