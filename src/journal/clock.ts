/** Time as the journal needs it; specs bring their own. */
export interface JournalClock {
  /** Milliseconds of the wall clock. */
  now(): number;
  /** Calls `work` every `ms` milliseconds until the answer is called; does not keep the process alive. */
  every(ms: number, work: () => void): () => void;
}

export const systemClock: JournalClock = {
  now: () => Date.now(),
  every(ms, work) {
    const timer = setInterval(work, ms);
    timer.unref();
    return () => clearInterval(timer);
  },
};
