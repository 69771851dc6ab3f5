import { setMaxListeners } from 'node:events';
import type { Checkpoint } from './checkpoint.js';
import { type FormatOptions, readLine } from './formats.js';
import { type Line, withLine } from './lines.js';
import type { TranscriptSender } from './sender.js';

/** Interval between writes of the checkpoint, in milliseconds. */
const SAVE_EVERY_MS = 500;

type Outcome = 'accepted' | 'empty' | { rejected: string };

export interface ImporterOptions extends FormatOptions {
  /** Number of concurrent requests. */
  concurrency: number;
  /** Stops the import after the requests in progress. */
  signal: AbortSignal;
  onLine?: () => void;
  onRejected?: (line: number, reason: string) => void;
}

/** Sends the lines of a file, several at a time, and tracks up to which line all are done. */
export class Importer {
  /** Lines that are done while an earlier line is not. */
  private readonly ahead = new Map<number, { line: Line; outcome: Outcome }>();
  private readonly stopping = new AbortController();
  private readonly signal: AbortSignal;
  private savedAt = performance.now();

  constructor(
    private readonly sender: Pick<TranscriptSender, 'send'>,
    private readonly checkpoint: Checkpoint,
    private readonly options: ImporterOptions,
  ) {
    this.signal = AbortSignal.any([options.signal, this.stopping.signal]);
    // Each waiting request adds a listener.
    setMaxListeners(0, this.signal);
  }

  /**
   * Sends all lines. Returns true when every line is done, or false when the signal stopped the import
   * earlier. In both cases the progress is saved in the checkpoint.
   * @throws ImportStoppedError, errors of reading and writing files
   */
  async run(lines: AsyncGenerator<Line>): Promise<boolean> {
    let isWhole = false;
    const lane = async (): Promise<void> => {
      try {
        while (!this.signal.aborted) {
          const next = await lines.next();
          if (next.done) {
            isWhole = true;
            return;
          }
          await this.handle(next.value);
        }
      } catch (error) {
        if (this.signal.aborted) return;
        this.stopping.abort();
        throw error;
      }
    };
    try {
      const lanes = await Promise.allSettled(Array.from({ length: this.options.concurrency }, lane));
      const failed = lanes.find((result) => result.status === 'rejected');
      if (failed) throw failed.reason;
      return isWhole && this.ahead.size === 0 && !this.options.signal.aborted;
    } finally {
      await lines.return(undefined);
      await this.checkpoint.save();
    }
  }

  private async handle(line: Line): Promise<void> {
    const outcome = await this.outcomeOf(line);
    this.ahead.set(line.number, { line, outcome });
    this.options.onLine?.();
    this.advance();
    if (performance.now() - this.savedAt < SAVE_EVERY_MS) return;
    this.savedAt = performance.now();
    await this.checkpoint.save();
  }

  private async outcomeOf(line: Line): Promise<Outcome> {
    const read = readLine(line, this.options);
    if ('empty' in read) return 'empty';
    if ('problem' in read) return { rejected: read.problem };
    const sent = await this.sender.send(read.body, this.signal);
    return 'rejected' in sent ? { rejected: sent.rejected } : 'accepted';
  }

  private advance(): void {
    for (;;) {
      const { lines, fingerprint, accepted, rejected } = this.checkpoint.current;
      const next = this.ahead.get(lines + 1);
      if (!next) return;
      this.ahead.delete(lines + 1);
      const { line, outcome } = next;
      const done = { lines: line.number, fingerprint: withLine(fingerprint, line) };
      if (typeof outcome === 'object') {
        const row = {
          line: line.number,
          reason: outcome.rejected,
          text: line.bytes?.toString('utf8') ?? null,
        };
        this.checkpoint.advance({ ...done, rejected: rejected + 1 }, `${JSON.stringify(row)}\n`);
        this.options.onRejected?.(line.number, outcome.rejected);
      } else this.checkpoint.advance({ ...done, accepted: accepted + (outcome === 'accepted' ? 1 : 0) });
    }
  }
}
