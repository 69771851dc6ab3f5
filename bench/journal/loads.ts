import type { Contestant } from './contestants.js';

export interface Outcome {
  perSecond: number;
  p50: number;
  p99: number;
  max: number;
  perSync: number;
}

type Append = Contestant['append'];

/** So many clients, each of which appends again as soon as its record is on disk; answers the milliseconds of each append. */
export async function closedLoop(append: Append, clients: number, records: number): Promise<number[]> {
  const times: number[] = [];
  let left = records;
  const client = async (): Promise<void> => {
    while (left-- > 0) {
      const begin = performance.now();
      await append();
      times.push(performance.now() - begin);
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  return times;
}

/** So many bursts of `clients` appends at once, each burst when the one before it is on disk. */
export async function bursts(append: Append, clients: number, records: number): Promise<number[]> {
  const times: number[] = [];
  while (times.length < records) {
    const begin = performance.now();
    const one = async (): Promise<void> => {
      await append();
      times.push(performance.now() - begin);
    };
    await Promise.all(Array.from({ length: clients }, one));
    await new Promise(setImmediate);
  }
  return times;
}

/** Appends at random moments, `rate` a second whatever the disk does; times count from the moment that each was due. */
export async function openLoop(append: Append, rate: number, records: number): Promise<number[]> {
  const times: number[] = [];
  const running: Promise<void>[] = [];
  const start = performance.now();
  let due = start;
  while (running.length < records) {
    for (const now = performance.now(); due <= now && running.length < records;) {
      const begin = due;
      running.push(
        append().then(() => {
          times.push(performance.now() - begin);
        }),
      );
      due += (-Math.log(1 - Math.random()) * 1000) / rate;
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(running);
  return times;
}

export async function measure(contestant: Contestant, load: () => Promise<number[]>): Promise<Outcome> {
  const syncsBefore = contestant.syncs();
  const start = performance.now();
  const times = (await load()).sort((a, b) => a - b);
  const seconds = (performance.now() - start) / 1000;
  const at = (p: number): number => times[Math.min(times.length - 1, Math.floor(times.length * p))] ?? 0;
  return {
    perSecond: times.length / seconds,
    p50: at(0.5),
    p99: at(0.99),
    max: at(1),
    perSync: times.length / Math.max(1, contestant.syncs() - syncsBefore),
  };
}
