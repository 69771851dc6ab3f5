/** What a caller receives, and where it was found. */
export interface Outcome {
  readonly value: unknown;
  readonly from: 'shared' | 'load';
}

/** A lookup under way. */
export interface Flight {
  /**
   * Of the tenant, known once the load begins: the load may not have seen what was invalidated after that.
   */
  generation: string | undefined;
  /** Of this process's turn to load, in Redis. */
  token: string | undefined;
  /** The entry was invalidated meanwhile: callers that wait already receive the value, and it is not kept. */
  cancelled: boolean;
}

/** The lookups under way, one for each key. */
export class Flights {
  private readonly joinable = new Map<string, { flight: Flight; outcome: Promise<Outcome> }>();

  /** The outcome of the lookup under way, unless it began with another generation than the current one. */
  join(key: string, generation: () => string): Promise<Outcome> | undefined {
    const present = this.joinable.get(key);
    if (!present) return undefined;
    const began = present.flight.generation;
    return began === undefined || began === generation() ? present.outcome : undefined;
  }

  /** Begins a lookup that others may join; it replaces one that is under way. */
  begin(key: string, work: (flight: Flight) => Promise<Outcome>): Promise<Outcome> {
    const flight: Flight = { generation: undefined, token: undefined, cancelled: false };
    const outcome = work(flight).finally(() => {
      if (this.joinable.get(key)?.flight === flight) this.joinable.delete(key);
    });
    this.joinable.set(key, { flight, outcome });
    return outcome;
  }

  /** From now on nobody joins the lookup of the key, and it keeps nothing. */
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
