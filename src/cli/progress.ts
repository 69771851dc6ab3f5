export interface ProgressOutput {
  isTTY?: boolean;
  columns?: number;
  write(text: string): unknown;
}

const redrawEveryMs = 100;
const widestBar = 40;

/**
 * Shows the progress of a job: on a terminal as a bar that is redrawn in place, elsewhere as one line for
 * each tenth. Rates are averages since the start.
 */
export class Progress {
  private done = 0;
  private drawnAt = Number.NEGATIVE_INFINITY;
  private tenth = 0;
  private readonly begun: number;

  constructor(
    private readonly label: string,
    private readonly total: number,
    private readonly output: ProgressOutput,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.begun = now();
  }

  advance(by = 1): void {
    this.done += by;
    if (this.output.isTTY) this.redraw();
    else this.printTenth();
  }

  /** Draws the final state of the bar and moves the cursor to the next line. */
  finish(): void {
    if (!this.output.isTTY) return;
    this.drawnAt = Number.NEGATIVE_INFINITY;
    this.redraw();
    this.output.write('\n');
  }

  private share(): number {
    return this.total === 0 ? 1 : this.done / this.total;
  }

  private text(): string {
    const seconds = (this.now() - this.begun) / 1000;
    const rate = seconds >= 0.1 ? Math.round(this.done / seconds) : 0;
    return `${Math.floor(this.share() * 100)}%  ${this.done}/${this.total}  ${rate}/s`;
  }

  private redraw(): void {
    if (this.done < this.total && this.now() - this.drawnAt < redrawEveryMs) return;
    this.drawnAt = this.now();
    const text = this.text();
    const room = (this.output.columns || 80) - this.label.length - text.length - 6;
    const width = Math.max(0, Math.min(widestBar, room));
    const filled = Math.floor(this.share() * width);
    const bar = width > 0 ? `[${'#'.repeat(filled)}${'.'.repeat(width - filled)}] ` : '';
    this.output.write(`\r\u001b[K${this.label} ${bar}${text}`);
  }

  private printTenth(): void {
    const tenth = Math.floor(this.share() * 10);
    if (tenth === this.tenth) return;
    this.tenth = tenth;
    this.output.write(`${this.label} ${this.text()}\n`);
  }
}
