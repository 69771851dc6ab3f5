import { double, isNumeric, toNumber } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import { Args, checkDatabaseName } from './arguments.js';
import type { Command } from './command.js';
import type { ProfileLevel } from './host.js';
import type { ReplyDoc } from './bson-writer.js';

const levels: readonly number[] = [0, 1, 2];

/**
 * Sets which operations of a database are recorded in its `system.profile`. `-1` only returns the settings.
 */
const profile: Command = {
  name: 'profile',
  fields: ['profile', 'slowms', 'sampleRate', 'filter'],
  counter: 'command',
  async run(ctx) {
    checkDatabaseName(ctx.db);
    const { profile: given, slowms, sampleRate, filter } = ctx.body;
    const level = isNumeric(given) ? toNumber(given) : -1;
    const change: Parameters<typeof ctx.host.profiler.configure>[1] = {};
    if (levels.includes(level)) change.level = level as ProfileLevel;
    if (isNumeric(slowms)) change.slowMs = toNumber(slowms);
    if (isNumeric(sampleRate)) change.sampleRate = rate(toNumber(sampleRate));
    if (filter === 'unset') change.filter = null;
    else if (filter !== undefined) change.filter = new Args('profile', ctx.body).document('filter') ?? null;
    const was = ctx.host.profiler.settings(ctx.db);
    await ctx.host.profiler.configure(ctx.db, change);
    const reply: ReplyDoc = { was: was.level, slowms: was.slowMs, sampleRate: double(was.sampleRate) };
    if (was.filter) {
      reply['filter'] = was.filter;
      reply['note'] =
        'When a filter expression is set, slowms and sampleRate are not used for profiling and slow-query log lines.';
    }
    return reply;
  },
};

function rate(value: number): number {
  if (value >= 0 && value <= 1) return value;
  throw new ServerError('BadValue', "'sampleRate' must be between 0.0 and 1.0 inclusive");
}

export const profileCommands: readonly Command[] = [profile];
