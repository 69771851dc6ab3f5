/** The value for a caller, and where it was found. */
export interface Outcome {
  readonly value: unknown;
  readonly from: 'shared' | 'load';
}

/** A lookup in progress. */
export interface Flight {
  /**
   * The tenant's generation, known once the load begins. The load may have missed changes that were
   * invalidated after that.
   */
  generation: string | undefined;
  /** Token of the lock in Redis that allows this process to load. */
  token: string | undefined;
  /** The entry was invalidated in the meantime. Waiting callers receive the value, but it is not cached. */
  cancelled: boolean;
}

/** The lookups in progress, one per key. */
export class Flights {
  private readonly joinable = new Map<string, { flight: Flight; outcome: Promise<Outcome> }>();

  /** Returns the outcome of the lookup in progress, unless it began in an earlier generation. */
  join(key: string, generation: () => string): Promise<Outcome> | undefined {
    const present = this.joinable.get(key);
    if (!present) return undefined;
    const began = present.flight.generation;
    return began === undefined || began === generation() ? present.outcome : undefined;
  }

  /** Starts a lookup that later callers can join. It replaces one in progress. */
  begin(key: string, work: (flight: Flight) => Promise<Outcome>): Promise<Outcome> {
    const flight: Flight = { generation: undefined, token: undefined, cancelled: false };
    const outcome = work(flight).finally(() => {
      if (this.joinable.get(key)?.flight === flight) this.joinable.delete(key);
    });
    this.joinable.set(key, { flight, outcome });
    return outcome;
  }

  /** Prevents other callers from joining the lookup of this key, and its result from being cached. */
  cancel(key: string): void {
    const present = this.joinable.get(key);
    if (!present) return;
    present.flight.cancelled = true;
    this.joinable.delete(key);
  }

  cancelAll(): void {
    for (const key of [...this.joinable.keys()]) this.cancel(key);
  }
}
