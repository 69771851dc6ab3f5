import { quantile } from '../monitoring/rounds.js';
import type { LoadFigures, LoadGenerator } from './load.js';
import type { PeerRoute } from './routes.js';
import type { Target, TargetName } from './targets.js';

export interface RoundOptions {
  connections: readonly number[];
  rounds: number;
  seconds: number;
  warmUpSeconds: number;
  signal: AbortSignal;
  onProgress: (line: string) => void;
}

/** The result of one load on one target. */
export interface Round extends LoadFigures {
  /** CPU time of the target's main thread per request, in microseconds. */
  cpuPerRequest: number;
  commandsPerRequest: number;
}

/**
 * The rounds of one target on one route with one number of connections. Each figure is the median of the
 * rounds, or NaN when there is none.
 */
export interface Row extends Omit<Round, 'requests' | 'failed'> {
  route: string;
  connections: number;
  target: TargetName;
  /** Requests per second relative to the bare server in the same round. */
  ratio: number;
  /**
   * The same for requests per second of main-thread CPU time: the ratio if the main thread were the only
   * bottleneck.
   */
  cpuRatio: number;
  /** Of all rounds together, like `failed`. */
  requests: number;
  failed: number;
  rounds: Round[];
}

const WARM_UP_CONNECTIONS = 64;

const median = (values: readonly number[]): number => quantile(values, 0.5);

async function runRound(
  generator: LoadGenerator,
  target: Target,
  route: PeerRoute,
  load: { connections: number; seconds: number; signal: AbortSignal },
): Promise<Round> {
  const { url, key } = target;
  const commandsBefore = await target.databaseCommands();
  const cpuBefore = await target.mainThreadSeconds();
  const figures = await generator.run({ url, key, requests: target.requestsOf(route), ...load });
  const cpu = (await target.mainThreadSeconds()) - cpuBefore;
  const commands = (await target.databaseCommands()) - commandsBefore;
  return {
    ...figures,
    cpuPerRequest: (cpu * 1e6) / figures.requests,
    commandsPerRequest: commands / figures.requests,
  };
}

function rowOf(
  { route, connections, target }: Pick<Row, 'route' | 'connections' | 'target'>,
  rounds: Round[],
  bare: readonly Round[],
): Row {
  const over = (pick: (round: Round, beside: Round | undefined) => number): number =>
    median(rounds.map((round, index) => pick(round, bare[index])));
  const sum = (pick: (round: Round) => number): number =>
    rounds.reduce((total, round) => total + pick(round), 0);
  return {
    route,
    connections,
    target,
    perSecond: over(({ perSecond }) => perSecond),
    p50: over(({ p50 }) => p50),
    p99: over(({ p99 }) => p99),
    cpuPerRequest: over(({ cpuPerRequest }) => cpuPerRequest),
    commandsPerRequest: over(({ commandsPerRequest }) => commandsPerRequest),
    ratio: over((round, beside) => round.perSecond / (beside?.perSecond ?? NaN)),
    cpuRatio: over((round, beside) => (beside?.cpuPerRequest ?? NaN) / round.cpuPerRequest),
    requests: sum(({ requests }) => requests),
    failed: sum(({ failed }) => failed),
    rounds,
  };
}

/**
 * Measures the targets one after the other in each round, starting with a different one each time, so that
 * other work on the machine affects all of them.
 */
async function raceAt(
  connections: number,
  generator: LoadGenerator,
  targets: readonly Target[],
  route: PeerRoute,
  { rounds, seconds, signal, onProgress }: RoundOptions,
): Promise<Row[]> {
  const results = new Map<TargetName, Round[]>(targets.map(({ name }) => [name, []]));
  for (let number = 0; number < rounds; number++)
    for (let turn = 0; turn < targets.length; turn++) {
      const target = targets[(number + turn) % targets.length];
      if (!target) continue;
      const round = await runRound(generator, target, route, { connections, seconds, signal });
      results.get(target.name)?.push(round);
      onProgress(
        `${route.name}, ${connections} connections, round ${number + 1}: ${target.name} ${Math.round(round.perSecond)}/s` +
          (round.failed > 0 ? `, ${round.failed} FAILED` : ''),
      );
    }
  const bare = results.get('bare') ?? [];
  return targets.map(({ name }) =>
    rowOf({ route: route.name, connections, target: name }, results.get(name) ?? [], bare),
  );
}

/** Measures every route with every number of connections, one after the other. */
export async function runRounds(
  generator: LoadGenerator,
  targets: readonly Target[],
  routes: readonly PeerRoute[],
  options: RoundOptions,
): Promise<Row[]> {
  const { signal, warmUpSeconds } = options;
  const rows: Row[] = [];
  for (const route of routes) {
    if (warmUpSeconds > 0)
      for (const target of targets)
        await runRound(generator, target, route, {
          connections: WARM_UP_CONNECTIONS,
          seconds: warmUpSeconds,
          signal,
        });
    for (const connections of options.connections)
      rows.push(...(await raceAt(connections, generator, targets, route, options)));
  }
  return rows;
}
