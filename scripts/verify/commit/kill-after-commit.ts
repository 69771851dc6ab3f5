// Loaded into a service with node --import: after the message { killAfterCommits: n } its n-th commit of new messages that
// succeeds is its last act. The database has replied, and no caller of the transaction has its result.
import { mongo } from 'mongoose';

let left = Infinity;
/** Sessions whose transaction inserts messages. */
const storing = new WeakSet<mongo.ClientSession>();

const hasCount = (message: unknown): message is { killAfterCommits: number } =>
  typeof message === 'object' && message !== null && 'killAfterCommits' in message;

process.on('message', (message) => {
  if (hasCount(message)) left = message.killAfterCommits;
});

const { command } = mongo.Db.prototype;
mongo.Db.prototype.command = function (this: mongo.Db, document, options) {
  if (document['insert'] === 'messages' && options?.session) storing.add(options.session);
  return command.call(this, document, options);
};

const { commitTransaction } = mongo.ClientSession.prototype;
mongo.ClientSession.prototype.commitTransaction = async function (this: mongo.ClientSession) {
  await commitTransaction.call(this);
  if (storing.delete(this) && --left === 0) process.kill(process.pid, 'SIGKILL');
};
