import type { Logger } from '../../logging/index.js';
import { EndedSessions } from './ended-sessions.js';

const session = { id: 'a', endsAt: 5000 };

describe('EndedSessions', () => {
  let rows: Map<string, Date>;
  let fault: Error | undefined;
  const repository = {
    add: (id: string, expiresAt: Date) =>
      fault ? Promise.reject(fault) : Promise.resolve(void rows.set(id, expiresAt)),
    has: (id: string) => (fault ? Promise.reject(fault) : Promise.resolve(rows.has(id))),
  };
  const open = (): EndedSessions => new EndedSessions(repository, { warn: jest.fn() } as unknown as Logger);

  beforeEach(() => {
    rows = new Map();
    fault = undefined;
  });

  it('knows in every process that a session was ended, until it would have expired', async () => {
    const [first, second] = [open(), open()];
    expect([await first.has(session), await second.has(session)]).toEqual([false, false]);
    await first.end(session);
    expect([await first.has(session), await second.has(session)]).toEqual([true, true]);
    expect(rows.get('a')).toEqual(new Date(5000));
    expect(await second.has({ id: 'b', endsAt: 5000 })).toBe(false);
  });

  it('accepts only sessions that it has accepted before while the database fails', async () => {
    const ended = open();
    expect(await ended.has(session)).toBe(false);
    fault = new Error('away');
    expect(await ended.has(session)).toBe(false);
    expect(await ended.has({ id: 'b', endsAt: 5000 })).toBe(true);
  });

  it('ends a session in this process even if the database fails, and reports the failure', async () => {
    const ended = open();
    expect(await ended.has(session)).toBe(false);
    fault = new Error('away');
    await expect(ended.end(session)).rejects.toThrow('away');
    expect(await ended.has(session)).toBe(true);
  });
});
