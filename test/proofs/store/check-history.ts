import { DependencyGraph } from './dependency-graph.js';
import type {
  AppendStep,
  FinalKey,
  History,
  HistoryFindings,
  ProblemKind,
  ReadStep,
  RecordedTransaction,
} from './history.js';

const MOST_PROBLEMS = 50;

/**
 * Checks a recorded history for what snapshot isolation and durability promise, by the lists that transactions append to:
 * a list names its versions in order, so that each read tells which transactions it saw (Kingsbury and Alvaro, "Elle").
 */
export function checkHistory(history: History): HistoryFindings {
  return new HistoryCheck(history).run();
}

interface Written {
  by: RecordedTransaction;
  step: AppendStep;
}

class HistoryCheck {
  private readonly findings: HistoryFindings;
  private readonly written = new Map<number, Written>();
  /** Transactions whose writes count: committed, and unknown ones that are stored. */
  private readonly present = new Set<number>();
  private readonly graph = new DependencyGraph();

  constructor(private readonly history: History) {
    const count = (outcome: string): number =>
      history.transactions.filter((transaction) => transaction.outcome === outcome).length;
    this.findings = {
      committed: count('committed'),
      aborted: count('aborted'),
      unknown: count('unknown'),
      unknownStored: 0,
      writeSkews: 0,
      problems: [],
    };
  }

  run(): HistoryFindings {
    for (const by of this.history.transactions)
      for (const step of by.steps) if (step.kind === 'append') this.written.set(step.item, { by, step });
    for (const transaction of this.history.transactions) this.checkWhole(transaction);
    for (const [key, final] of Object.entries(this.history.final.keys)) this.checkFinal(key, final);
    for (const transaction of this.history.transactions) this.checkReads(transaction);
    this.checkSums();
    this.addTime();
    for (const cycle of this.graph.forbiddenCycles()) this.tell('cycle', cycle);
    if (!this.findings.problems.some(({ kind }) => kind === 'cycle'))
      this.findings.writeSkews = this.graph.cyclicGroups().length;
    return this.findings;
  }

  private tell(kind: ProblemKind, text: string): void {
    if (this.findings.problems.length < MOST_PROBLEMS) this.findings.problems.push({ kind, text });
  }

  private finalOf(key: string): FinalKey {
    return this.history.final.keys[key] ?? { items: [], value: NaN };
  }

  /** All of a transaction's writes are stored, or none; which of both, its outcome may tell. */
  private checkWhole(transaction: RecordedTransaction): void {
    const { id, outcome, marked } = transaction;
    const appends = transaction.steps.filter((step) => step.kind === 'append');
    const stored = appends.filter(({ key, item }) => this.finalOf(key).items.includes(item)).length;
    const markStored = this.history.final.marks.includes(id);
    const writes = appends.length + Number(marked);
    const found = stored + Number(markStored);
    const told = `T${id} (${transaction.purpose}, ${outcome}): ${found} of ${writes} writes are stored`;
    if (outcome === 'aborted') {
      if (found > 0) this.tell('torn', told);
      return;
    }
    if (found === writes) {
      this.present.add(id);
      if (outcome === 'unknown' && writes > 0) this.findings.unknownStored++;
      return;
    }
    if (outcome === 'committed') {
      this.present.add(id);
      this.tell('lost', told);
    } else if (found > 0) this.tell('torn', told);
  }

  private checkFinal(key: string, final: FinalKey): void {
    if (new Set(final.items).size < final.items.length)
      this.tell('doubled', `${key} holds an item twice: ${final.items.join(' ')}`);
    this.checkValue(`finally ${key}`, key, final);
    let before: Written | undefined;
    for (const item of final.items) {
      const writer = this.written.get(item);
      if (!writer) this.tell('aborted read', `${key} holds the item ${item} that nobody wrote`);
      else if (before && this.present.has(writer.by.id) && this.present.has(before.by.id))
        this.graph.add(before.by.id, writer.by.id, 'write');
      before = writer;
    }
  }

  private checkReads(transaction: RecordedTransaction): void {
    const own = new Map<string, number[]>();
    const seen = new Map<string, readonly number[]>();
    for (const step of transaction.steps) {
      const mine = own.get(step.key) ?? [];
      if (step.kind === 'append') {
        own.set(step.key, [...mine, step.item]);
        continue;
      }
      const foreign = step.items.slice(0, step.items.length - mine.length);
      const before = seen.get(step.key);
      if (!sameItems(step.items.slice(foreign.length), mine))
        this.tell('own writes', `T${transaction.id} read ${step.key} without what it had appended itself`);
      else if (before && !sameItems(before, foreign))
        this.tell('own writes', `T${transaction.id} read two versions of ${step.key}`);
      seen.set(step.key, foreign);
      this.checkValue(`T${transaction.id} read ${step.key}`, step.key, step);
      this.checkVersion(transaction, step, foreign);
    }
  }

  /** The value is what the items make it: else an update was lost, or a part of one was seen. */
  private checkValue(what: string, key: string, { items, value }: FinalKey): void {
    let expected = this.history.initial[key] ?? 0;
    for (const item of items) expected += this.written.get(item)?.step.delta ?? 0;
    if (value !== expected) this.tell('value', `${what} as ${value}; its items make ${expected}`);
  }

  private checkVersion(reader: RecordedTransaction, { key }: ReadStep, version: readonly number[]): void {
    const { items } = this.finalOf(key);
    for (const item of version) {
      const outcome = this.written.get(item)?.by.outcome;
      if (outcome === 'aborted') {
        this.tell('aborted read', `T${reader.id} read the item ${item} in ${key}, which was aborted`);
        return;
      }
    }
    if (!sameItems(version, items.slice(0, version.length))) {
      this.tell(
        'inconsistent order',
        `T${reader.id} read ${key} as ${version.join(' ')}; at the end it was ${items.join(' ')}`,
      );
      return;
    }
    const writer = this.written.get(version.at(-1) ?? NaN)?.by;
    const replacer = this.written.get(items[version.length] ?? NaN)?.by;
    if (writer && writer === replacer && writer !== reader)
      this.tell('intermediate read', `T${reader.id} read a part of what T${writer.id} appended to ${key}`);
    if (writer) this.graph.add(writer.id, reader.id, 'read');
    if (replacer) this.graph.add(reader.id, replacer.id, 'anti');
  }

  private checkSums(): void {
    const { conserved } = this.history;
    if (!conserved) return;
    const names = Object.keys(this.history.initial).filter((key) => key.startsWith(conserved.prefix));
    const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);
    for (const { id, purpose, steps } of this.history.transactions) {
      if (purpose !== 'audit') continue;
      const reads = steps.filter((step) => step.kind === 'read' && step.key.startsWith(conserved.prefix));
      const sum = sumOf(reads.map((step) => (step.kind === 'read' ? step.value : 0)));
      if (reads.length === names.length && sum !== conserved.sum)
        this.tell('sum', `T${id} saw a sum of ${sum} instead of ${conserved.sum}`);
    }
    const sum = sumOf(names.map((key) => this.finalOf(key).value));
    if (sum !== conserved.sum) this.tell('sum', `finally the sum is ${sum} instead of ${conserved.sum}`);
  }

  /**
   * What ended before another began comes before it. A chain of moments, one at each end, keeps the edges few; they bear
   * negative ids.
   */
  private addTime(): void {
    const ended = this.history.transactions
      .filter(({ outcome }) => outcome !== 'unknown')
      .sort((a, b) => a.endedAt - b.endedAt);
    const begun = [...this.history.transactions].sort((a, b) => a.begunAt - b.begunAt);
    let moment = 0;
    for (const transaction of begun) {
      for (let next = ended[moment]; next && next.endedAt < transaction.begunAt; next = ended[moment]) {
        moment++;
        if (moment > 1) this.graph.add(-(moment - 1), -moment, 'time');
        this.graph.add(next.id, -moment, 'time');
      }
      if (moment > 0) this.graph.add(-moment, transaction.id, 'time');
    }
  }
}

const sameItems = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((item, at) => item === b[at]);
