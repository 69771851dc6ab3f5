import { encode, isDoc } from '../values/bson.js';
import type { Doc, Value } from '../values/bson.js';
import { ServerError } from '../values/errors.js';

/** One piece of work for JavaScript that a client sent. */
export type JavaScriptCall =
  /** Whether `code` is true of a document, which is its `this`. */
  | { kind: 'where'; code: string; doc: Doc }
  | { kind: 'function'; code: string; args: Value[] }
  /** One group of `$accumulator`: `rows` holds the arguments of each call of `accumulate`. */
  | {
      kind: 'accumulate';
      init: string;
      initArgs: Value[];
      accumulate: string;
      rows: Value[];
      finalize: string;
    }
  /** Gives `[{ k, v }, …]`, what the function emits for the documents. */
  | { kind: 'map'; code: string; docs: Doc[]; scope?: Doc }
  | { kind: 'reduce'; code: string; key: Value; values: Value[]; scope?: Doc }
  | { kind: 'finalize'; code: string; key: Value; value: Value; scope?: Doc };

export type JavaScriptAnswer = { value: Value } | { error: ServerError };

export interface JavaScriptInterruption {
  /** Epoch milliseconds. */
  deadline?: number | undefined;
  signal?: { readonly killed: boolean } | undefined;
}

/** Runs clients' JavaScript away from the thread that serves them. */
export interface JavaScriptRunner {
  /** Answers in the order of the calls; throws MaxTimeMSExpired (50) or Interrupted (11601), and 139 when it broke down. */
  run(calls: readonly JavaScriptCall[], interruption: JavaScriptInterruption): Promise<JavaScriptAnswer[]>;
}

export const javaScriptDisabled = (): ServerError =>
  new ServerError(31264, 'Cannot run server-side javascript without the javascript engine enabled');

/** Thrown out of an expression whose answer is not there yet. */
class Unanswered extends Error {
  constructor() {
    super('a JavaScript function has not been called yet');
  }
}

/** An evaluation that still asks after so many rounds never asks for the same, as its arguments change. */
const MAX_ROUNDS = 100;

let current: JavaScriptSession | undefined;

/**
 * Lets expressions, which are evaluated at once, use functions that run elsewhere. `evaluate` stops at the first call without
 * an answer and notes it down; `settle` has the noted calls answered; then `evaluate` is tried again. Answers are kept until
 * `forget`, which is due after every few documents.
 */
export class JavaScriptSession {
  private readonly answers = new Map<string, JavaScriptAnswer>();
  private rounds = 0;
  private wanted = new Map<string, JavaScriptCall>();

  constructor(
    private readonly runner: JavaScriptRunner,
    private readonly interruption: JavaScriptInterruption,
  ) {}

  get waits(): boolean {
    return this.wanted.size > 0;
  }

  /** What `work` gives, or undefined when it needs an answer first. Errors of the called function are thrown. */
  evaluate<T>(work: () => T): { value: T } | undefined {
    return answeredBy(this, work);
  }

  /** Has the calls answered that evaluations have met. */
  async settle(): Promise<void> {
    const { wanted } = this;
    this.wanted = new Map();
    if (++this.rounds > MAX_ROUNDS) {
      throw new ServerError(
        'OperationFailed',
        'the arguments of a JavaScript function change with every evaluation',
      );
    }
    const answers = await this.runner.run([...wanted.values()], this.interruption);
    [...wanted.keys()].forEach((key, i) => this.answers.set(key, answers[i]!));
  }

  forget(): void {
    this.answers.clear();
    this.rounds = 0;
  }

  answer(call: JavaScriptCall): Value {
    const key = Buffer.from(encode({ ...call })).toString('latin1');
    const known = this.answers.get(key);
    if (!known) {
      this.wanted.set(key, call);
      throw new Unanswered();
    }
    if ('error' in known) throw known.error;
    return known.value;
  }
}

const answeredBy = <T>(session: JavaScriptSession, work: () => T): { value: T } | undefined => {
  const before = current;
  current = session;
  try {
    return { value: work() };
  } catch (error) {
    if (error instanceof Unanswered) return undefined;
    throw error;
  } finally {
    current = before;
  }
};

/** Calls a client's function from within an expression or a filter. */
export const callJavaScript = (call: JavaScriptCall): Value => {
  if (current) return current.answer(call);
  throw new ServerError(
    'CommandNotSupported',
    'server-side JavaScript is not supported in this place by this server',
  );
};

const operators: ReadonlySet<string> = new Set(['$function', '$where', '$accumulator']);

/** True when a filter, an expression or a stage has JavaScript in it. */
export const hasJavaScript = (spec: Value): boolean => {
  if (Array.isArray(spec)) return spec.some(hasJavaScript);
  if (!isDoc(spec)) return false;
  return Object.keys(spec).some((name) => operators.has(name) || hasJavaScript(spec[name]));
};
