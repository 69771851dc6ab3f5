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
 * Checks whether a recorded history satisfies snapshot isolation and durability, using the lists that
 * transactions append to. The items of a list identify its versions in order, so that each read shows which
 * transactions it has seen (Kingsbury and Alvaro, "Elle").
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
  /** Transactions with effective writes: committed ones, and unknown ones that are stored. */
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
    for (const cycle of this.graph.forbiddenCycles()) this.report('cycle', cycle);
    if (!this.findings.problems.some(({ kind }) => kind === 'cycle'))
      this.findings.writeSkews = this.graph.cyclicGroups().length;
    return this.findings;
  }

  private report(kind: ProblemKind, text: string): void {
    if (this.findings.problems.length < MOST_PROBLEMS) this.findings.problems.push({ kind, text });
  }

  private finalOf(key: string): FinalKey {
    return this.history.final.keys[key] ?? { items: [], value: NaN };
  }

  /**
   * Checks that either all writes of a transaction are stored or none, in agreement with its outcome where
   * that is known.
   */
  private checkWhole(transaction: RecordedTransaction): void {
    const { id, outcome, marked } = transaction;
    const appends = transaction.steps.filter((step) => step.kind === 'append');
    const stored = appends.filter(({ key, item }) => this.finalOf(key).items.includes(item)).length;
    const markStored = this.history.final.marks.includes(id);
    const writes = appends.length + Number(marked);
    const found = stored + Number(markStored);
    const summary = `T${id} (${transaction.purpose}, ${outcome}): ${found} of ${writes} writes are stored`;
    if (outcome === 'aborted') {
      if (found > 0) this.report('torn', summary);
      return;
    }
    if (found === writes) {
      this.present.add(id);
      if (outcome === 'unknown' && writes > 0) this.findings.unknownStored++;
      return;
    }
    if (outcome === 'committed') {
      this.present.add(id);
      this.report('lost', summary);
    } else if (found > 0) this.report('torn', summary);
  }

  private checkFinal(key: string, final: FinalKey): void {
    if (new Set(final.items).size < final.items.length)
      this.report('duplicated', `${key} contains an item twice: ${final.items.join(' ')}`);
    this.checkValue(`at the end ${key}`, key, final);
    let before: Written | undefined;
    for (const item of final.items) {
      const writer = this.written.get(item);
      if (!writer) this.report('aborted read', `${key} contains the item ${item} that no transaction wrote`);
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
        this.report('own writes', `T${transaction.id} read ${step.key} without its own appends`);
      else if (before && !sameItems(before, foreign))
        this.report('own writes', `T${transaction.id} read two versions of ${step.key}`);
      seen.set(step.key, foreign);
      this.checkValue(`T${transaction.id} read ${step.key}`, step.key, step);
      this.checkVersion(transaction, step, foreign);
    }
  }

  /**
   * Checks that the value matches the items. Otherwise an update was lost, or an intermediate state was read.
   */
  private checkValue(what: string, key: string, { items, value }: FinalKey): void {
    let expected = this.history.initial[key] ?? 0;
    for (const item of items) expected += this.written.get(item)?.step.delta ?? 0;
    if (value !== expected) this.report('value', `${what} as ${value}, but its items add up to ${expected}`);
  }

  private checkVersion(reader: RecordedTransaction, { key }: ReadStep, version: readonly number[]): void {
    const { items } = this.finalOf(key);
    for (const item of version) {
      const outcome = this.written.get(item)?.by.outcome;
      if (outcome === 'aborted') {
        this.report('aborted read', `T${reader.id} read the item ${item} in ${key}, which was aborted`);
        return;
      }
    }
    if (!sameItems(version, items.slice(0, version.length))) {
      this.report(
        'inconsistent order',
        `T${reader.id} read ${key} as ${version.join(' ')}; at the end it was ${items.join(' ')}`,
      );
      return;
    }
    const writer = this.written.get(version.at(-1) ?? NaN)?.by;
    const replacer = this.written.get(items[version.length] ?? NaN)?.by;
    if (writer && writer === replacer && writer !== reader)
      this.report('intermediate read', `T${reader.id} read a part of what T${writer.id} appended to ${key}`);
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
        this.report('sum', `T${id} saw a sum of ${sum} instead of ${conserved.sum}`);
    }
    const sum = sumOf(names.map((key) => this.finalOf(key).value));
    if (sum !== conserved.sum) this.report('sum', `the final sum is ${sum} instead of ${conserved.sum}`);
  }

  /**
   * Adds the order in time: a transaction that ended before another started precedes it. To keep the number
   * of edges low, they go through a chain of moments, one for each end of a transaction, which have negative
   * ids.
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
