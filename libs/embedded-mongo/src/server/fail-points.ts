import type { ConnectionInfo, FailAction, FailPointStore } from '../commands/host.js';
import { toBigInt } from '../commands/arguments.js';
import { isDoc, type Doc, type Value } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import { isRetryableCode } from './error-labels.js';

interface ActiveFailPoint {
  /** Calls that still pass before it acts. */
  skip: number;
  /** Times that it still acts; Infinity for alwaysOn. */
  times: number;
  data: Doc;
}

/** Fail points beside `failCommand`: each raises its `errorCode` at one place. */
const others: ReadonlySet<string> = new Set(['failGetMoreAfterCursorCheckout']);

/** Test hooks of MongoDB that drivers' test suites set. */
export class FailPoints implements FailPointStore {
  private failCommand: ActiveFailPoint | undefined;
  private readonly active = new Map<string, ActiveFailPoint>();

  configure(name: string, mode: Value, data: Doc): void {
    if (others.has(name)) {
      const point = parseMode(mode, data);
      if (point) this.active.set(name, point);
      else this.active.delete(name);
      return;
    }
    if (name !== 'failCommand') throw new ServerError('BadValue', `${name} is not a known fail point`);
    this.failCommand = parseMode(mode, data);
  }

  /** What the fail point does to this command, if anything; counts as one use. */
  take(command: string, connection: ConnectionInfo, retryableWrite: boolean): FailAction | undefined {
    const point = this.failCommand;
    if (!point || !applies(point.data, command, connection)) return undefined;
    if (!uses(point)) return undefined;
    if (point.times <= 0) this.failCommand = undefined;
    return actionOf(point.data, retryableWrite);
  }

  failure(name: string): ServerError | undefined {
    const point = this.active.get(name);
    if (!point || !uses(point)) return undefined;
    if (point.times <= 0) this.active.delete(name);
    const code = toBigInt(point.data['errorCode']);
    return code === undefined ? undefined : new ServerError(Number(code), `failing via '${name}' failpoint`);
  }
}

function uses(point: ActiveFailPoint): boolean {
  if (point.skip > 0) {
    point.skip -= 1;
    return false;
  }
  point.times -= 1;
  return true;
}

function parseMode(mode: Value, data: Doc): ActiveFailPoint | undefined {
  if (mode === 'off') return undefined;
  if (mode === 'alwaysOn') return { skip: 0, times: Infinity, data };
  const times = isDoc(mode) ? toBigInt(mode['times']) : undefined;
  if (times !== undefined) return times > 0n ? { skip: 0, times: Number(times), data } : undefined;
  const skip = isDoc(mode) ? toBigInt(mode['skip']) : undefined;
  if (skip !== undefined) return { skip: Number(skip), times: Infinity, data };
  throw new ServerError(
    'BadValue',
    "a fail point's mode must be 'off', 'alwaysOn', { times: n } or { skip: n }",
  );
}

function applies(data: Doc, command: string, connection: ConnectionInfo): boolean {
  const { failCommands, appName } = data;
  if (command === 'configureFailPoint' || !Array.isArray(failCommands) || !failCommands.includes(command))
    return false;
  if (typeof appName !== 'string') return true;
  const application = connection.client?.['application'];
  return isDoc(application) && application['name'] === appName;
}

function actionOf(data: Doc, retryableWrite: boolean): FailAction {
  const code = toBigInt(data['errorCode']);
  const { errorLabels, writeConcernError } = data;
  const labels = Array.isArray(errorLabels)
    ? errorLabels.map(String)
    : retryableWrite && code !== undefined && isRetryableCode(Number(code))
      ? ['RetryableWriteError']
      : [];
  const blockMs = data['blockConnection'] === true ? Number(toBigInt(data['blockTimeMS']) ?? 0n) : 0;
  return {
    closeConnection: data['closeConnection'] === true,
    blockMs,
    error:
      code === undefined
        ? undefined
        : new ServerError(Number(code), "Failing command via 'failCommand' failpoint", {
            errorLabels: labels,
          }),
    writeConcernError: isDoc(writeConcernError)
      ? { ...writeConcernError, ...(Array.isArray(errorLabels) && { errorLabels }) }
      : undefined,
  };
}
