/** What a caller is answered with. */
export interface Outcome {
  readonly value: unknown;
  readonly from: 'l1' | 'l2' | 'load';
  /** It is due: a fresh one should be loaded. */
  readonly isStale?: boolean;
}

/** Work under way that may keep an entry in memory. */
export interface Flight {
  /** Known once the load itself begins: what was invalidated since then, it may not have seen. */
  generations: string | undefined;
  /** The entry was deleted or replaced: the value goes to those who wait already, and is kept nowhere. */
  cancelled: boolean;
}

interface Joinable extends Flight {
  promise: Promise<Outcome>;
}

const newFlight = (): Flight => ({ generations: undefined, cancelled: false });

/** The work under way for each key: that which others may wait for, and that which is only to be told of a deletion. */
export class Flights {
  private readonly joinable = new Map<string, Joinable>();
  private readonly guarded = new Map<string, Set<Flight>>();

  has(key: string): boolean {
    return this.joinable.has(key);
  }

  /** The flight of a key, unless it began before what `generations` tells was invalidated. */
  join(key: string, generations: () => string): Promise<Outcome> | undefined {
    const flight = this.joinable.get(key);
    if (!flight) return undefined;
    const isUpToDate = flight.generations === undefined || flight.generations === generations();
    return isUpToDate ? flight.promise : undefined;
  }

  /** Begins work that others may wait for; it takes the place of a flight that is there. */
  begin(key: string, work: (flight: Flight) => Promise<Outcome>): Promise<Outcome> {
    const flight = newFlight() as Joinable;
    flight.promise = work(flight).finally(() => {
      if (this.joinable.get(key) === flight) this.joinable.delete(key);
    });
    this.joinable.set(key, flight);
    return flight.promise;
  }

  /** Runs work that nobody waits for but its caller. */
  async guard<T>(key: string, work: (flight: Flight) => Promise<T>): Promise<T> {
    const flight = newFlight();
    const flights = this.guarded.get(key) ?? new Set();
    this.guarded.set(key, flights.add(flight));
    try {
      return await work(flight);
    } finally {
      flights.delete(flight);
      if (flights.size === 0 && this.guarded.get(key) === flights) this.guarded.delete(key);
    }
  }

  /** From now on nobody joins the work of the key, and it keeps nothing. */
  cancel(key: string): void {
    for (const guarded of this.guarded.get(key) ?? []) guarded.cancelled = true;
    const flight = this.joinable.get(key);
    if (!flight) return;
    flight.cancelled = true;
    this.joinable.delete(key);
  }

  cancelAll(): void {
    for (const key of [...this.joinable.keys(), ...this.guarded.keys()]) this.cancel(key);
  }
}
