// Loaded into a service with `node --import`. On SIGUSR2 it causes an unhandled failure, as a bug in the
// program would. FAIL_BY selects the kind: a rejection, an exception, or a failure in the thread of the
// embedded store.
import { BroadcastChannel, isMainThread } from 'node:worker_threads';

const channel = new BroadcastChannel('fail-on-signal');
channel.unref();

function failure() {
  const cause = Object.assign(new Error('the command failed'), { command: { content: 'what Ann wrote' } });
  return new Error(
    `nobody waits for this at mongodb://ann:the-password-1@127.0.0.1/x with ${process.env.ADMIN_API_KEY}`,
    { cause },
  );
}

if (isMainThread)
  process.on('SIGUSR2', () => {
    if (process.env.FAIL_BY === 'store') channel.postMessage('fail');
    else if (process.env.FAIL_BY === 'throw') throw failure();
    else void Promise.reject(failure());
  });
else
  channel.onmessage = () => {
    throw failure();
  };
