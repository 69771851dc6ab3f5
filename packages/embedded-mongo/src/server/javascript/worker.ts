import { parentPort } from 'node:worker_threads';
import { Sandbox } from './sandbox.js';

/** Calls for one sandbox, as JSON texts; `session` tells one operation's from another's. */
export interface ToSandbox {
  calls: string[];
}

export interface FromSandbox {
  answers: string[];
}

const port = parentPort;
if (!port) throw new Error('this module runs in a worker thread');

port.on('message', ({ calls }: ToSandbox) => {
  const sandbox = new Sandbox();
  port.postMessage({ answers: calls.map((call) => sandbox.run(call)) } satisfies FromSandbox);
});
