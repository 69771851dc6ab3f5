import { isDoc } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import type { ReplyDoc } from './bson-writer.js';
import { genericFields, type Command } from './command.js';

const getParameter: Command = {
  name: 'getParameter',
  adminOnly: true,
  counter: 'command',
  run({ host, body }) {
    const wanted = body['getParameter'];
    const known = host.parameters.all();
    const all = wanted === '*' || (isDoc(wanted) && wanted['allParameters'] === true);
    const names = Object.keys(known).filter((name) => all || name in body);
    if (names.length === 0) throw new ServerError('InvalidOptions', 'no option found to get');
    const details = isDoc(wanted) && wanted['showDetails'] === true;
    return Object.fromEntries(names.map((name) => [name, details ? { value: known[name] } : known[name]]));
  },
};

const setParameter: Command = {
  name: 'setParameter',
  adminOnly: true,
  counter: 'command',
  run({ host, body }) {
    const given = Object.entries(body).filter(
      ([name]) => name !== 'setParameter' && !genericFields.has(name),
    );
    if (given.length === 0) {
      throw new ServerError('InvalidOptions', 'no option found to set, use help:true to see options ');
    }
    const reply: ReplyDoc = {};
    for (const [name, value] of given) {
      const was = host.parameters.set(name, value);
      reply['was'] ??= was;
    }
    return reply;
  },
};

export const parameterCommands: readonly Command[] = [getParameter, setParameter];
