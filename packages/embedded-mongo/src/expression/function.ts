import { Code } from 'bson';
import { isDoc, typeName } from '../values/bson.js';
import type { Value } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import { callJavaScript } from './javascript.js';
import { fail } from './scope.js';
import type { Operators } from './scope.js';

/** The text of a function, given as a string or as BSON's code. */
export const codeText = (value: Value): string | undefined =>
  typeof value === 'string' ? value : value instanceof Code && !value.scope ? value.code : undefined;

const known = new Set(['body', 'args', 'lang']);

/** `$function`: a function of the client's on values of the document. */
export const functionOperators: Operators = {
  $function: (operand, compile) => {
    if (!isDoc(operand))
      throw fail(31260, `$function requires an object as an argument, found: ${typeName(operand)}`);
    const unknown = Object.keys(operand).find((field) => !known.has(field));
    if (unknown !== undefined)
      throw new ServerError('FailedToParse', `$function found an unknown argument: ${unknown}`);
    const { body, args, lang } = operand;
    if (body === undefined) throw fail(31261, 'The body function must be specified.');
    const code = codeText(body);
    if (code === undefined) throw fail(31262, 'The body function must evaluate to type string or code.');
    if (args === undefined) throw fail(31263, "The 'args' field must be specified.");
    if (lang === undefined) throw fail(31418, 'The language must be specified.');
    if (lang !== 'js') throw fail(31419, "Currently the only supported language specifier is 'js'.");
    const list = compile(args);
    return (scope) => {
      const values = list(scope);
      if (!Array.isArray(values)) throw fail(31266, 'The args field must be of type array');
      return callJavaScript({ kind: 'function', code, args: values });
    };
  },
};
