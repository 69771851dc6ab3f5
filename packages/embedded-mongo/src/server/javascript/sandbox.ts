import { createContext, Script } from 'node:vm';
import { ObjectId } from 'bson';
import { bootstrap } from './bootstrap.js';

/** More functions than this begin a new sandbox: what they left behind goes with the old one. */
const MAX_USES = 1_000;

const looksLikeFunction = /^\s*(?:async\s+)?(?:function\b|\([^)]*\)\s*=>|[\w$]+\s*=>)/;

const compiles = (text: string): Script | undefined => {
  try {
    return new Script(text);
  } catch (error) {
    if ((error as { name?: unknown } | null)?.name === 'SyntaxError') return undefined;
    throw error;
  }
};

/** A function's text, the text of an expression, or statements with a return: as a function. */
const functionScript = (code: string): Script => {
  const text = code.trim().replace(/;$/, '');
  if (looksLikeFunction.test(text)) {
    const script = compiles(`(${text}\n)`);
    if (script) return script;
  }
  return compiles(`(function () { return (${text}\n) })`) ?? new Script(`(function () { ${code}\n })`);
};

/** Waits without giving the thread free. */
const pause = (ms: number): void => {
  if (ms > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
};

export interface SandboxOptions {
  /** Ends a call after so many milliseconds; for a sandbox whose thread nobody else can end. */
  timeoutMs?: number | undefined;
}

/** Thrown when a call took longer than its time. */
export class SandboxTimeout extends Error {}

/**
 * A place for clients' code, without `require`, `process` and the like. `node:vm` keeps names apart; it is no wall against code
 * that means to break out.
 */
export class Sandbox {
  private handle: ((text: string) => string) | undefined;
  private context = createContext(Object.create(null) as object);
  private uses = 0;
  private deadline = Infinity;

  /** Runs one call, both given and answered as JSON text. */
  run(call: string, { timeoutMs }: SandboxOptions = {}): string {
    if (!this.handle || this.uses++ >= MAX_USES) this.begin();
    const handle = this.handle!;
    if (timeoutMs === undefined) return handle(call);
    this.deadline = performance.now() + timeoutMs;
    if (timeoutMs <= 0) throw new SandboxTimeout();
    const holder = this.context as { run?: () => string };
    Object.defineProperty(holder, 'run', {
      value: () => handle(call),
      configurable: true,
      enumerable: false,
    });
    try {
      return new Script('run()').runInContext(this.context, {
        timeout: Math.max(1, Math.ceil(timeoutMs)),
      }) as string;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT')
        throw new SandboxTimeout();
      throw error;
    } finally {
      delete holder.run;
      this.deadline = Infinity;
    }
  }

  private begin(): void {
    this.uses = 1;
    this.context = createContext(Object.create(null) as object);
    const { context } = this;
    const outside = {
      compile: (code: string): unknown => functionScript(code).runInContext(context),
      newId: (): string => new ObjectId().toHexString(),
      sleep: (ms: number): void => {
        const left = this.deadline - performance.now();
        // Beyond its time the script is ended by `timeout`.
        pause(Math.min(ms, left));
      },
    };
    const make = new Script(bootstrap).runInContext(context) as (
      given: typeof outside,
    ) => (text: string) => string;
    this.handle = make(outside);
  }
}
