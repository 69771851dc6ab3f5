/** Errors of independent pieces of work, none of which keeps the others from being done. */
export class Failures {
  private readonly errors: unknown[] = [];

  constructor(private readonly signal: AbortSignal) {}

  /** @throws the reason of the signal once it is aborted */
  async collect(work: () => Promise<void>): Promise<void> {
    this.signal.throwIfAborted();
    try {
      await work();
    } catch (error) {
      this.signal.throwIfAborted();
      this.errors.push(error);
    }
  }

  /** @throws the first error, if there is one */
  throwFirst(): void {
    if (this.errors.length > 0) throw this.errors[0];
  }
}
