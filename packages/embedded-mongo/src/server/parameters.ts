import type { CursorStore, ParameterStore } from '../commands/host.js';
import type { ReplyDoc, ReplyValue } from '../commands/bson-writer.js';
import type { Engine } from '../engine/types.js';
import { isNumeric, toNumber, type Value } from '../values/bson.js';
import { ServerError } from '../values/errors.js';

interface Parameter {
  get(): ReplyValue;
  /** Absent if the parameter cannot be set at runtime. */
  set?(value: Value): void;
}

const fixed = (value: ReplyValue): Parameter => ({ get: () => value });

/** A parameter whose value is stored but has no effect. */
function remembered(first: number | boolean | string): Parameter {
  let current: ReplyValue = first;
  return {
    get: () => current,
    set(value) {
      current =
        typeof first === 'boolean'
          ? truth(value)
          : typeof first === 'number'
            ? amount(value, 0)
            : text(value);
    },
  };
}

/**
 * `setParameter` and `getParameter`: the parameters that driver test suites and tools use, and those of this
 * server.
 */
export class Parameters implements ParameterStore {
  private readonly known: ReadonlyMap<string, Parameter>;

  constructor(engine: Engine, cursors: CursorStore) {
    this.known = new Map<string, Parameter>([
      ['featureCompatibilityVersion', fixed({ version: '8.0' })],
      ['authenticationMechanisms', fixed([])],
      ['authSchemaVersion', fixed(5)],
      ['enableTestCommands', remembered(true)],
      ['localLogicalSessionTimeoutMinutes', fixed(30)],
      ['maxBSONDepth', fixed(180)],
      ['ttlMonitorEnabled', fixed(true)],
      ['logLevel', remembered(0)],
      ['quiet', remembered(false)],
      ['logComponentVerbosity', fixed({ verbosity: 0 })],
      ['maxTransactionLockRequestTimeoutMillis', remembered(5)],
      ['internalQueryExecYieldIterations', remembered(1000)],
      ['internalQueryExecYieldPeriodMS', remembered(10)],
      ['externalClientBaseBackoffMS', remembered(0)],
      ['notablescan', { get: () => false, set: refuseNoTableScan }],
      [
        'ttlMonitorSleepSecs',
        {
          get: () => engine.ttlSweepMs / 1000,
          set(value) {
            engine.ttlSweepMs = amount(value, 1) * 1000;
          },
        },
      ],
      [
        'transactionLifetimeLimitSeconds',
        {
          get: () => engine.transactionLifetimeMs / 1000,
          set(value) {
            engine.transactionLifetimeMs = amount(value, 1) * 1000;
          },
        },
      ],
      [
        'cursorTimeoutMillis',
        {
          get: () => BigInt(cursors.idleLimitMs),
          set(value) {
            cursors.idleLimitMs = amount(value, 0);
          },
        },
      ],
    ]);
  }

  all(): ReplyDoc {
    return Object.fromEntries([...this.known].map(([name, parameter]) => [name, parameter.get()]));
  }

  set(name: string, value: Value): ReplyValue {
    const parameter = this.known.get(name);
    if (!parameter) {
      throw new ServerError(
        'InvalidOptions',
        `attempted to set unrecognized parameter [${name}], use help:true to see options `,
      );
    }
    if (!parameter.set)
      throw new ServerError('IllegalOperation', `not allowed to change [${name}] at runtime`);
    const was = parameter.get();
    parameter.set(value);
    return was;
  }
}

function refuseNoTableScan(value: Value): void {
  if (truth(value)) throw new ServerError('InvalidOptions', 'notablescan is not supported by this server');
}

const truth = (value: Value): boolean => (isNumeric(value) ? toNumber(value) !== 0 : value === true);

function amount(value: Value, least: number): number {
  const number = isNumeric(value) ? toNumber(value) : NaN;
  if (Number.isInteger(number) && number >= least) return number;
  throw new ServerError('BadValue', `the value must be a whole number of at least ${least}`);
}

function text(value: Value): string {
  if (typeof value === 'string') return value;
  throw new ServerError('BadValue', 'the value must be a string');
}
