import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type {
  JavaScriptAnswer,
  JavaScriptCall,
  JavaScriptInterruption,
  JavaScriptRunner,
} from '../../expression/javascript.js';
import { ServerError } from '../../values/errors.js';
import { Sandbox, SandboxTimeout } from './sandbox.js';
import { fromWire, toWire } from './wire.js';
import type { Wire } from './wire.js';
import type { FromSandbox, ToSandbox } from './worker.js';

const MAX_THREADS = 8;
/** Threads that are kept for the next call, and for how long. */
const MAX_IDLE = 2;
const IDLE_MS = 30_000;
const HEAP_MB = 256;
/** How often a running call is asked whether it was killed. */
const POLL_MS = 20;

const workerUrl = new URL('./worker.js', import.meta.url);

const timedOut = (): ServerError => new ServerError('MaxTimeMSExpired', 'operation exceeded time limit');
const interrupted = (): ServerError => new ServerError('Interrupted', 'operation was interrupted');
const failure = (message: string): ServerError =>
  new ServerError(139, message, { codeName: 'JSInterpreterFailure' });

const scopeOf = (call: JavaScriptCall): { scope?: Wire } =>
  'scope' in call && call.scope ? { scope: toWire(call.scope) } : {};

const encodeCall = (call: JavaScriptCall): string => {
  switch (call.kind) {
    case 'where':
      return JSON.stringify({ ...call, doc: toWire(call.doc) });
    case 'function':
      return JSON.stringify({ ...call, args: call.args.map(toWire) });
    case 'accumulate':
      return JSON.stringify({ ...call, initArgs: call.initArgs.map(toWire), rows: call.rows.map(toWire) });
    case 'map':
      return JSON.stringify({ ...call, docs: call.docs.map(toWire), ...scopeOf(call) });
    case 'reduce':
      return JSON.stringify({
        ...call,
        key: toWire(call.key),
        values: call.values.map(toWire),
        ...scopeOf(call),
      });
    case 'finalize':
      return JSON.stringify({ ...call, key: toWire(call.key), value: toWire(call.value), ...scopeOf(call) });
  }
};

const decodeAnswer = (text: string): JavaScriptAnswer => {
  const answer = JSON.parse(text) as { value: Wire } | { error: string };
  try {
    return 'error' in answer ? { error: failure(answer.error) } : { value: fromWire(answer.value) };
  } catch (error) {
    return { error: failure(error instanceof Error ? error.message : String(error)) };
  }
};

/** A thread with one batch of calls at a time. */
class SandboxThread {
  private readonly worker = new Worker(workerUrl, {
    name: 'embedded-mongo-javascript',
    env: {},
    argv: [],
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
  });
  private idleTimer: NodeJS.Timeout | undefined;
  ended = false;

  constructor(private readonly whenEnded: (thread: SandboxThread) => void) {
    this.worker.on('error', () => undefined);
    this.worker.once('exit', () => {
      this.ended = true;
      clearTimeout(this.idleTimer);
      this.whenEnded(this);
    });
  }

  /** The worker's answers; when it is interrupted or breaks down the thread is ended. */
  run(calls: string[], { deadline, signal }: JavaScriptInterruption, now: () => number): Promise<string[]> {
    clearTimeout(this.idleTimer);
    this.worker.ref();
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        clearInterval(poll);
        clearTimeout(timer);
        this.worker.off('message', onMessage);
        this.worker.off('error', onError);
        this.worker.off('exit', onExit);
      };
      const giveUp = (error: ServerError): void => {
        stop();
        void this.end();
        reject(error);
      };
      const onMessage = ({ answers }: FromSandbox): void => {
        stop();
        this.worker.unref();
        resolve(answers);
      };
      const onError = (error: Error): void =>
        giveUp(failure(`JavaScript execution failed: ${error.message}`));
      const onExit = (): void => giveUp(failure('the JavaScript thread ended'));
      const poll = setInterval(() => {
        if (signal?.killed) giveUp(interrupted());
      }, POLL_MS);
      const timer =
        deadline === undefined
          ? undefined
          : setTimeout(() => giveUp(timedOut()), Math.max(0, Math.min(deadline - now(), 2 ** 31 - 1)));
      this.worker.on('message', onMessage);
      this.worker.on('error', onError);
      this.worker.on('exit', onExit);
      this.worker.postMessage({ calls } satisfies ToSandbox);
    });
  }

  rest(): void {
    this.idleTimer = setTimeout(() => void this.end(), IDLE_MS).unref();
  }

  async end(): Promise<void> {
    this.ended = true;
    await this.worker.terminate();
  }
}

/** Runs JavaScript in threads of its own, made when they are needed: a call that hangs or crashes ends with its thread. */
export class ThreadedRunner implements JavaScriptRunner {
  private readonly idle: SandboxThread[] = [];
  private readonly threads = new Set<SandboxThread>();
  private readonly waiting: (() => void)[] = [];
  private closed = false;

  constructor(private readonly now: () => number) {}

  async run(
    calls: readonly JavaScriptCall[],
    interruption: JavaScriptInterruption,
  ): Promise<JavaScriptAnswer[]> {
    const texts = calls.map(encodeCall);
    const thread = await this.take(interruption);
    try {
      const answers = await thread.run(texts, interruption, this.now);
      return answers.map(decodeAnswer);
    } finally {
      this.giveBack(thread);
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    for (const wake of this.waiting.splice(0)) wake();
    await Promise.all([...this.threads].map((thread) => thread.end()));
  }

  private async take({ deadline, signal }: JavaScriptInterruption): Promise<SandboxThread> {
    for (;;) {
      if (this.closed) throw new ServerError('InterruptedAtShutdown', 'interrupted at shutdown');
      if (signal?.killed) throw interrupted();
      if (deadline !== undefined && this.now() >= deadline) throw timedOut();
      const idle = this.idle.pop();
      if (idle && !idle.ended) return idle;
      if (idle) continue;
      if (this.threads.size < MAX_THREADS) {
        const thread = new SandboxThread((gone) => this.gone(gone));
        this.threads.add(thread);
        return thread;
      }
      await this.turn();
    }
  }

  /** Waits until a thread may be free, and no longer than until the caller must look at its clock. */
  private turn(): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        const at = this.waiting.indexOf(wake);
        if (at >= 0) this.waiting.splice(at, 1);
        resolve();
      };
      const timer = setTimeout(wake, POLL_MS);
      this.waiting.push(wake);
    });
  }

  private giveBack(thread: SandboxThread): void {
    if (thread.ended) return;
    if (this.closed || this.idle.length >= MAX_IDLE) void thread.end();
    else {
      this.idle.push(thread);
      thread.rest();
    }
    this.waiting[0]?.();
  }

  private gone(thread: SandboxThread): void {
    this.threads.delete(thread);
    const at = this.idle.indexOf(thread);
    if (at >= 0) this.idle.splice(at, 1);
    this.waiting[0]?.();
  }
}

/** How long a call may hold the thread that serves clients, where there is no other. */
const LOCAL_LIMIT_MS = 10_000;

/** Runs JavaScript on the calling thread: where there is no compiled worker, as under jest. */
export class LocalRunner implements JavaScriptRunner {
  constructor(private readonly now: () => number) {}

  run(
    calls: readonly JavaScriptCall[],
    { deadline, signal }: JavaScriptInterruption,
  ): Promise<JavaScriptAnswer[]> {
    const sandbox = new Sandbox();
    const answers = calls.map((call): JavaScriptAnswer => {
      if (signal?.killed) throw interrupted();
      const left = deadline === undefined ? LOCAL_LIMIT_MS : deadline - this.now();
      try {
        return decodeAnswer(sandbox.run(encodeCall(call), { timeoutMs: left }));
      } catch (error) {
        if (error instanceof SandboxTimeout) throw timedOut();
        throw error;
      }
    });
    return Promise.resolve(answers);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

export type ClosableRunner = JavaScriptRunner & { close(): Promise<void> };

export const openJavaScript = (now: () => number): ClosableRunner =>
  existsSync(fileURLToPath(workerUrl)) ? new ThreadedRunner(now) : new LocalRunner(now);
