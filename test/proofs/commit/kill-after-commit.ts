// Loaded into a service with node --import. After the message { killAfterCommits: n }, the process kills
// itself right after its n-th successful commit that inserts messages: the database has confirmed the commit,
// but no caller of the transaction has received the result.
import { mongo } from 'mongoose';

let left = Infinity;
/** Database sessions whose current transaction inserts messages. */
const storing = new WeakSet<mongo.ClientSession>();

const hasCount = (message: unknown): message is { killAfterCommits: number } =>
  typeof message === 'object' && message !== null && 'killAfterCommits' in message;

process.on('message', (message) => {
  if (hasCount(message)) left = message.killAfterCommits;
});

type Command = (this: mongo.Db, ...args: Parameters<mongo.Db['command']>) => Promise<mongo.Document>;
type Commit = (this: mongo.ClientSession) => Promise<void>;

const databases: { command: Command } = mongo.Db.prototype;
const { command } = databases;
databases.command = function (document, options) {
  if (document['insert'] === 'messages' && options?.session) storing.add(options.session);
  return command.call(this, document, options);
};

const sessions: { commitTransaction: Commit } = mongo.ClientSession.prototype;
const { commitTransaction } = sessions;
sessions.commitTransaction = async function () {
  await commitTransaction.call(this);
  if (storing.delete(this) && --left === 0) process.kill(process.pid, 'SIGKILL');
};
