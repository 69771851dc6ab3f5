/** What a transaction read of one key. */
export interface ReadStep {
  kind: 'read';
  key: string;
  /** Everything that was ever appended to the key, as seen. */
  items: readonly number[];
  value: number;
}

/** One append: every item of a run is unique, and moves the key's value by `delta`. */
export interface AppendStep {
  kind: 'append';
  key: string;
  item: number;
  delta: number;
}

export type Step = ReadStep | AppendStep;

/**
 * committed: the server said so. aborted: the client aborted, or was told that it is not committed. unknown: the answer to
 * the commit was lost; it is there as a whole or not at all.
 */
export type Outcome = 'committed' | 'aborted' | 'unknown';

export interface RecordedTransaction {
  id: number;
  /** What it was made for: transfer, audit, counter … */
  purpose: string;
  steps: Step[];
  outcome: Outcome;
  /** Milliseconds of one clock: before the first step was sent, and after the last answer. */
  begunAt: number;
  endedAt: number;
  /** It inserted a document of its own, whose `_id` is the transaction's. */
  marked: boolean;
}

export interface FinalKey {
  items: readonly number[];
  value: number;
}

/** What a run did and saw. */
export interface History {
  /** Every key and its value before the first transaction, when nothing was appended to it. */
  initial: Readonly<Record<string, number>>;
  transactions: readonly RecordedTransaction[];
  final: {
    keys: Readonly<Record<string, FinalKey>>;
    /** The ids of transactions whose mark is stored. */
    marks: readonly number[];
  };
  /** Transactions of the purpose `audit` read all keys with this prefix; their values have this sum. */
  conserved?: { prefix: string; sum: number };
}

export type ProblemKind =
  | 'lost'
  | 'doubled'
  | 'torn'
  | 'aborted read'
  | 'intermediate read'
  | 'inconsistent order'
  | 'own writes'
  | 'value'
  | 'sum'
  | 'cycle';

export interface HistoryProblem {
  kind: ProblemKind;
  text: string;
}

export interface HistoryFindings {
  committed: number;
  aborted: number;
  unknown: number;
  /** Of the unknown ones, those that turned out to be stored. */
  unknownStored: number;
  /** Groups of transactions that no serial order explains. Snapshot isolation allows them. */
  writeSkews: number;
  problems: HistoryProblem[];
}
