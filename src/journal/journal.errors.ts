const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** The record is not in the journal: nothing of it will be replayed as far as the disk still obeys, and it may be appended again. */
export class JournalUnavailableError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'JournalUnavailableError';
  }

  static afterWrite(cause: unknown): JournalUnavailableError {
    return new JournalUnavailableError(`The journal could not be written: ${messageOf(cause)}`, { cause });
  }

  static stillFailing(cause: unknown): JournalUnavailableError {
    return new JournalUnavailableError(
      `The journal takes no records until its disk can be written again: ${messageOf(cause)}`,
      { cause },
    );
  }
}

/** More bytes wait for the disk than may: the disk is slower than the appends. */
export class JournalOverloadedError extends JournalUnavailableError {
  constructor(pendingBytes: number) {
    super(`The journal's disk is too slow: ${pendingBytes} bytes wait to be written.`);
    this.name = 'JournalOverloadedError';
  }
}

export class JournalClosedError extends Error {
  constructor() {
    super('The journal is closed.');
    this.name = 'JournalClosedError';
  }
}
