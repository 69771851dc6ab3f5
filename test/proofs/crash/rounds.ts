import { setTimeout as delay } from 'node:timers/promises';
import { ApiClient, asTenantKey } from '../../../src/cli/index.js';
import { CrashCheck, type CrashFindings, type CrashProblem, RepeatedRequests } from './check.js';
import { CrashLoad, type Ledger, type LoadShape } from './load.js';
import { seededRandom } from '../../support/random.js';
import { ServiceProcess } from '../../support/service-process.js';

/** Decides when the service is killed. */
export interface KillMoment {
  /** Node.js options that the service needs for this. */
  nodeOptions?: readonly string[];
  /** Returns a description of the moment, and resolves `killed` once the process has exited. */
  arrange(service: ServiceProcess, random: () => number): { after: string; killed: Promise<unknown> };
}

export interface CrashRun {
  rounds: number;
  seed: number;
  /** The built entry file of the service, its working directory and its DATA_DIR. */
  main: string;
  cwd: string;
  dataDir: string;
  /** Default: a random time after the start of the load. */
  moment?: KillMoment;
  /** Default: few clients, so that often no commit is in progress at the kill. */
  shape?: LoadShape;
  onRound?: (result: CrashRound) => void;
}

export interface CrashRound extends CrashFindings {
  round: number;
  /** When the kill happened, relative to the start of the load. */
  killedAfter: string;
  /** Requests repeated because the kill interrupted their response. */
  retried: number;
  /** Milliseconds from the start of the new process until it listened. */
  reopenMs: number;
  refused: ReadonlyMap<string, number>;
}

const EARLIEST_KILL_MS = 100;
const LATEST_KILL_MS = 1500;

const atRandomTime: KillMoment = {
  arrange: (service, random) => {
    const ms = EARLIEST_KILL_MS + Math.floor(random() * (LATEST_KILL_MS - EARLIEST_KILL_MS));
    return { after: `${ms} ms`, killed: delay(ms).then(() => service.kill('SIGKILL')) };
  },
};

/** A service that is repeatedly killed under load and restarted on the same DATA_DIR. */
class CrashRounds {
  private service: ServiceProcess | undefined;
  private readonly ledgers: Ledger[] = [];
  private key = '';

  constructor(private readonly options: CrashRun) {}

  async run(): Promise<CrashRound[]> {
    const random = seededRandom(this.options.seed);
    const results: CrashRound[] = [];
    try {
      const { url, adminKey } = await this.start();
      const tenant = { id: 'crash', name: 'Crash test' };
      this.key = await new ApiClient(url, adminKey).call('POST', '/v1/tenants', asTenantKey, tenant);
      for (let round = 1; round <= this.options.rounds; round++) {
        const result = await this.round(round, random);
        results.push(result);
        this.options.onRound?.(result);
      }
      await this.checkAllAgain(results);
    } finally {
      await this.service?.kill('SIGKILL');
    }
    return results;
  }

  private async start(): Promise<ServiceProcess> {
    const { main, cwd, dataDir, moment = atRandomTime } = this.options;
    const env = { NODE_ENV: 'development', PORT: '0', LOG_LEVEL: 'warn', DATA_DIR: dataDir };
    this.service = await ServiceProcess.start({ main, cwd, env, nodeOptions: moment.nodeOptions ?? [] });
    return this.service;
  }

  private client(): ApiClient {
    return new ApiClient(this.service?.url ?? '', this.key);
  }

  private async round(round: number, random: () => number): Promise<CrashRound> {
    const { moment = atRandomTime, shape } = this.options;
    const load = new CrashLoad(this.client(), `r${round}`, shape);
    await load.prepare();
    if (!this.service) throw new Error('no service runs');
    const { after, killed } = moment.arrange(this.service, random);
    await Promise.all([load.run(), killed]);
    this.ledgers.push(load.ledger);

    const begun = performance.now();
    await this.start();
    const reopenMs = performance.now() - begun;
    const first = await new CrashCheck(this.client(), load.ledger).run();
    const repeated = await new RepeatedRequests(this.client(), load.ledger).send();
    const second = await new CrashCheck(this.client(), load.ledger).run();
    second.problems.push(...repeated.problems);
    const { refused } = load.ledger;
    return {
      ...joined(first, second),
      round,
      killedAfter: after,
      retried: repeated.unanswered,
      reopenMs,
      refused,
    };
  }

  /** Data that survived its own round must survive all later rounds. */
  private async checkAllAgain(results: CrashRound[]): Promise<void> {
    for (const [index, ledger] of this.ledgers.entries()) {
      const again = await new CrashCheck(this.client(), ledger).run();
      const result = results[index];
      if (result) Object.assign(result, joined(result, again));
    }
  }
}

/**
 * The counts of the later check with the problems of both, so that a message found first and lost later is
 * reported.
 */
function joined(first: CrashFindings, second: CrashFindings): CrashFindings {
  const known = new Set(first.problems.map(({ text }) => text));
  const problems = [...first.problems, ...second.problems.filter(({ text }) => !known.has(text))];
  return { acked: second.acked, found: second.found, unanswered: first.unanswered, problems };
}

/**
 * Runs the requested number of rounds. Each kills the service with SIGKILL under load, restarts it, repeats
 * all requests and checks that everything acknowledged is stored.
 */
export const runCrashRounds = (options: CrashRun): Promise<CrashRound[]> => new CrashRounds(options).run();

export const isClean = ({ problems, refused }: CrashRound): boolean =>
  problems.length === 0 && refused.size === 0;

export const problemsOf = ({ problems }: CrashFindings, kind: CrashProblem['kind']): number =>
  problems.filter((problem) => problem.kind === kind).length;
