import { setTimeout as delay } from 'node:timers/promises';
import { ApiClient } from '../replay/api-client.js';
import { asTenantKey } from '../replay/api-shapes.js';
import { CrashCheck, type CrashFindings, type CrashProblem, retryUnacked } from './crash-check.js';
import { CrashLoad, type Ledger } from './crash-load.js';
import { seededRandom } from './random.js';
import { ServiceProcess } from './service-process.js';

export interface CrashRun {
  rounds: number;
  seed: number;
  /** The built entry of the service, its working directory and its DATA_DIR. */
  main: string;
  cwd: string;
  dataDir: string;
  onRound?: (result: CrashRound) => void;
}

export interface CrashRound extends CrashFindings {
  round: number;
  /** From the start of the load to the kill. */
  killedAfterMs: number;
  /** Requests whose answer the kill cut off and that were sent again. */
  retried: number;
  /** From the start of the new process until it listened. */
  reopenMs: number;
  refused: ReadonlyMap<string, number>;
}

const EARLIEST_KILL_MS = 100;
const LATEST_KILL_MS = 1500;

/** A service that is killed under load and started again, round after round, on one DATA_DIR. */
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
        const killAfterMs = EARLIEST_KILL_MS + Math.floor(random() * (LATEST_KILL_MS - EARLIEST_KILL_MS));
        const result = await this.round(round, killAfterMs);
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
    const { main, cwd, dataDir } = this.options;
    const env = { NODE_ENV: 'development', PORT: '0', LOG_LEVEL: 'warn', DATA_DIR: dataDir };
    this.service = await ServiceProcess.start({ main, cwd, env });
    return this.service;
  }

  private client(): ApiClient {
    return new ApiClient(this.service?.url ?? '', this.key);
  }

  private async round(round: number, killAfterMs: number): Promise<CrashRound> {
    const load = new CrashLoad(this.client(), `r${round}`);
    await load.prepare();
    const killed = delay(killAfterMs).then(() => this.service?.kill('SIGKILL'));
    await Promise.all([load.run(), killed]);
    this.ledgers.push(load.ledger);

    const begun = performance.now();
    await this.start();
    const reopenMs = performance.now() - begun;
    const first = await new CrashCheck(this.client(), load.ledger).run();
    const retried = await retryUnacked(this.client(), load.ledger);
    const second = await new CrashCheck(this.client(), load.ledger).run();
    const { refused } = load.ledger;
    return { ...joined(first, second), round, killedAfterMs: killAfterMs, retried, reopenMs, refused };
  }

  /** What survived its own round must survive the later ones. */
  private async checkAllAgain(results: CrashRound[]): Promise<void> {
    for (const [index, ledger] of this.ledgers.entries()) {
      const again = await new CrashCheck(this.client(), ledger).run();
      const result = results[index];
      if (result) Object.assign(result, joined(result, again));
    }
  }
}

/** The counts of the later check with the problems of both: a message must not be found first and lost afterwards. */
function joined(first: CrashFindings, second: CrashFindings): CrashFindings {
  const known = new Set(first.problems.map(({ text }) => text));
  const problems = [...first.problems, ...second.problems.filter(({ text }) => !known.has(text))];
  return { acked: second.acked, found: second.found, problems };
}

/** Kills the service with SIGKILL at a random moment under load, starts it again and checks all it promised; as often as asked. */
export const runCrashRounds = (options: CrashRun): Promise<CrashRound[]> => new CrashRounds(options).run();

export const isClean = ({ problems, refused }: CrashRound): boolean =>
  problems.length === 0 && refused.size === 0;

export const problemsOf = ({ problems }: CrashFindings, kind: CrashProblem['kind']): number =>
  problems.filter((problem) => problem.kind === kind).length;
