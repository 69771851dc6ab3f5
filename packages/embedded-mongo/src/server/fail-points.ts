import type { FailAction, FailPointStore } from '../commands/host.js';
import { toBigInt } from '../commands/arguments.js';
import type { Command } from '../commands/command.js';
import { isDoc, isNumeric, toNumber, type Doc, type Value } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import { isRetryableCode } from './error-labels.js';

/** The supported fail points. */
const known: ReadonlySet<string> = new Set([
  'failCommand',
  'failGetMoreAfterCursorCheckout',
  'maxTimeAlwaysTimeOut',
  'maxTimeNeverTimeOut',
  'onPrimaryTransactionalWrite',
]);

/** The parsed `mode` of a fail point. */
interface Mode {
  /** Number of calls to skip before it triggers. */
  skip: number;
  /** Number of times that it still triggers. Infinity for alwaysOn. */
  times: number;
  /** Probability of triggering for each call, 0 to 1. */
  probability: number;
}

interface ActiveFailPoint extends Mode {
  data: Doc;
}

/** Properties of a command that are compared with a fail point. */
export interface FailSubject {
  command: Command;
  /** The collection of the command, as `db.collection`. */
  ns: string;
  /** The client's metadata, which may be part of this command. */
  client: Doc | undefined;
  /** Whether the command is a retryable write or ends a transaction. */
  retryable: boolean;
}

/** MongoDB's test hooks, which are used by the test suites of drivers. */
export class FailPoints implements FailPointStore {
  /** True while any fail point is set. Otherwise this is the only check per request. */
  active = false;
  private readonly points = new Map<string, ActiveFailPoint>();
  private readonly entered = new Map<string, number>();

  constructor(private readonly random: () => number = Math.random) {}

  configure(name: string, mode: Value, data: Doc): number {
    if (!known.has(name)) {
      throw new ServerError(191, `${name} not found`, { codeName: 'FailPointSetFailed' });
    }
    const parsed = parseMode(mode);
    if (parsed) this.points.set(name, { ...parsed, data });
    else this.points.delete(name);
    this.active = this.points.size > 0;
    return this.entered.get(name) ?? 0;
  }

  enter(name: string): Doc | undefined {
    const point = this.points.get(name);
    return point && this.fires(name, point) ? point.data : undefined;
  }

  /** The effect of `failCommand` on this command, if any. Counts one use. */
  take(subject: FailSubject): FailAction | undefined {
    const point = this.points.get('failCommand');
    if (!point || !applies(point.data, subject) || !this.fires('failCommand', point)) return undefined;
    return actionOf(point.data, subject.retryable);
  }

  private fires(name: string, point: ActiveFailPoint): boolean {
    if (point.skip > 0) {
      point.skip -= 1;
      return false;
    }
    if (point.probability < 1 && this.random() >= point.probability) return false;
    point.times -= 1;
    if (point.times <= 0) this.points.delete(name);
    this.active = this.points.size > 0;
    this.entered.set(name, (this.entered.get(name) ?? 0) + 1);
    return true;
  }
}

function parseMode(mode: Value): Mode | undefined {
  const on: Mode = { skip: 0, times: Infinity, probability: 1 };
  if (mode === 'off') return undefined;
  if (mode === 'alwaysOn') return on;
  const [key, value] = isDoc(mode) ? (Object.entries(mode)[0] ?? []) : [];
  const number = isNumeric(value) ? toNumber(value) : undefined;
  if (number !== undefined && number >= 0) {
    if (key === 'times') return number > 0 ? { ...on, times: number } : undefined;
    if (key === 'skip') return { ...on, skip: number };
    if (key === 'activationProbability' && number <= 1) return { ...on, probability: number };
  }
  throw new ServerError(
    'BadValue',
    "a fail point's mode must be 'off', 'alwaysOn', { times: n }, { skip: n } or { activationProbability: p }",
  );
}

function applies(data: Doc, { command, ns, client }: FailSubject): boolean {
  if (command.name === 'configureFailPoint') return false;
  const { failCommands, appName, namespace } = data;
  const names = Array.isArray(failCommands) ? failCommands : [];
  const named = names.includes(command.name) || command.aliases?.some((alias) => names.includes(alias));
  if (!named && data['failAllCommands'] !== true) return false;
  if (typeof namespace === 'string' && namespace !== ns) return false;
  if (typeof appName !== 'string') return true;
  return appNameOf(client) === appName;
}

/** The application name from the client's first hello. */
export function appNameOf(client: Doc | undefined): string | undefined {
  const application = client?.['application'];
  const name = isDoc(application) ? application['name'] : undefined;
  return typeof name === 'string' ? name : undefined;
}

function actionOf(data: Doc, retryable: boolean): FailAction {
  const code = toBigInt(data['errorCode']);
  const { errorLabels, writeConcernError, errorExtraInfo } = data;
  const given = Array.isArray(errorLabels) ? errorLabels.map(String) : undefined;
  const labels = (failed: bigint | undefined): string[] =>
    given ??
    (retryable && failed !== undefined && isRetryableCode(Number(failed)) ? ['RetryableWriteError'] : []);
  const blockMs = data['blockConnection'] === true ? Number(toBigInt(data['blockTimeMS']) ?? 0n) : 0;
  return {
    closeConnection: data['closeConnection'] === true,
    blockMs,
    error:
      code === undefined
        ? undefined
        : new ServerError(Number(code), "Failing command via 'failCommand' failpoint", {
            errorLabels: labels(code),
            ...(isDoc(errorExtraInfo) && { details: errorExtraInfo }),
          }),
    labelsAreGiven: given !== undefined,
    writeConcernError: isDoc(writeConcernError)
      ? withLabels(writeConcernError, labels(toBigInt(writeConcernError['code'])))
      : undefined,
  };
}

/** Labels of the error itself take precedence. */
const withLabels = (concern: Doc, errorLabels: string[]): Doc =>
  errorLabels.length > 0 ? { errorLabels, ...concern } : concern;
