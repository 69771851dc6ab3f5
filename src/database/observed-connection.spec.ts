import type { mongo } from 'mongoose';
import { Connection } from 'mongodb/lib/cmap/connection.js';
import { CommandMonitor, type SentCommand } from './command-monitor.js';
import { observedConnection } from './observed-connection.js';

const namespace = { db: 'shop', collection: 'orders' } as mongo.MongoDBNamespace;

/** An observed connection class, based on a fake driver connection that replies with `answer`. */
function observed(answer: () => Promise<unknown>): {
  connection: Connection;
  started: SentCommand[];
  ended: [SentCommand, number, boolean][];
} {
  const monitor = new CommandMonitor();
  const started: SentCommand[] = [];
  const ended: [SentCommand, number, boolean][] = [];
  monitor.onStart((command) => void started.push(command));
  monitor.onEnd((...end) => void ended.push(end));
  jest
    .spyOn(Connection.prototype, 'prepareCommand')
    .mockImplementation((database, command) => ({ command: { ...command, $db: database } }));
  jest.spyOn(Connection.prototype, 'command').mockImplementation(async function (
    this: Connection,
    { db },
    command,
    options = {},
  ) {
    this.prepareCommand(db, command, options);
    return answer();
  });
  const connection = Object.create(observedConnection(monitor).prototype, {
    established: { value: true, writable: true },
  }) as Connection;
  return { connection, started, ended };
}

afterEach(() => jest.restoreAllMocks());

describe('observedConnection', () => {
  it('reports a command when it is sent, and again with its duration when the reply arrives', async () => {
    const { connection, started, ended } = observed(() => Promise.resolve({ ok: 1 }));
    await expect(connection.command(namespace, { find: 'orders' })).resolves.toEqual({ ok: 1 });
    expect(started).toMatchObject([
      { commandName: 'find', databaseName: 'shop', command: { find: 'orders', $db: 'shop' } },
    ]);
    expect(ended).toEqual([[started[0], expect.any(Number), true]]);
  });

  it('reports documents that are sent next to the command, even after the driver has removed them from it', async () => {
    const { connection, ended } = observed(() => Promise.resolve({ ok: 1 }));
    const statements = [{ q: { _id: 1 }, u: { $set: { a: 1 } } }];
    const command: Record<string, unknown> = { update: 'orders', updates: { documents: statements } };
    jest.spyOn(Connection.prototype, 'prepareCommand').mockReturnValue({ command });
    const answer = connection.command(namespace, command);
    delete command['updates'];
    await answer;
    expect(ended).toMatchObject([
      [{ commandName: 'update', command: { updates: statements } }, expect.any(Number), true],
    ]);
  });

  it('reports a command that fails, and does not change the error', async () => {
    const { connection, ended } = observed(() => Promise.reject(new Error('no such thing')));
    await expect(connection.command(namespace, { insert: 'orders' })).rejects.toThrow('no such thing');
    expect(ended).toMatchObject([[{ commandName: 'insert' }, expect.any(Number), false]]);
  });

  it('does not report the handshake', async () => {
    const { connection, started, ended } = observed(() => Promise.resolve({ ok: 1 }));
    Object.assign(connection, { established: false });
    await connection.command(namespace, { hello: 1 });
    expect([...started, ...ended]).toEqual([]);
  });

  it('does not report the end of a command that could not be created', async () => {
    const { connection, started, ended } = observed(() => Promise.resolve({ ok: 1 }));
    jest.spyOn(Connection.prototype, 'prepareCommand').mockImplementation(() => {
      throw new Error('session has ended');
    });
    await expect(connection.command(namespace, { find: 'orders' })).rejects.toThrow('session has ended');
    expect([...started, ...ended]).toEqual([]);
  });
});
