import { Args } from './arguments.js';
import type { Command } from './command.js';

const configureFailPoint: Command = {
  name: 'configureFailPoint',
  adminOnly: true,
  counter: 'command',
  run(ctx) {
    const args = new Args('configureFailPoint', ctx.body);
    const name = args.required('configureFailPoint', args.string('configureFailPoint'));
    return { count: ctx.host.failPoints.configure(name, ctx.body['mode'], args.document('data') ?? {}) };
  },
};

export const failPointCommands: readonly Command[] = [configureFailPoint];
