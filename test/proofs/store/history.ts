/** A read of one key in a transaction. */
export interface ReadStep {
  kind: 'read';
  key: string;
  /** All items appended to the key, as this read returned them. */
  items: readonly number[];
  value: number;
}

/** One append. Every item of a run is unique, and changes the value of the key by `delta`. */
export interface AppendStep {
  kind: 'append';
  key: string;
  item: number;
  delta: number;
}

export type Step = ReadStep | AppendStep;

/**
 * committed: the server confirmed it. aborted: the client aborted, or the server reported that the commit
 * failed. unknown: the response to the commit was lost; the transaction is stored either completely or not at
 * all.
 */
export type Outcome = 'committed' | 'aborted' | 'unknown';

export interface RecordedTransaction {
  id: number;
  /** The kind of transaction: transfer, audit, counter … */
  purpose: string;
  steps: Step[];
  outcome: Outcome;
  /** In milliseconds of one clock: before the first step was sent, and after the last response. */
  begunAt: number;
  endedAt: number;
  /** Whether it inserted a mark: a document whose `_id` is the id of the transaction. */
  marked: boolean;
}

export interface FinalKey {
  items: readonly number[];
  value: number;
}

/** The recorded reads and writes of a run. */
export interface History {
  /** Every key with its value before the first transaction, when no item had been appended. */
  initial: Readonly<Record<string, number>>;
  transactions: readonly RecordedTransaction[];
  final: {
    keys: Readonly<Record<string, FinalKey>>;
    /** Ids of the transactions whose mark is stored. */
    marks: readonly number[];
  };
  /**
   * Transactions with purpose `audit` read all keys with this prefix; the sum of their values must be this
   * one.
   */
  conserved?: { prefix: string; sum: number };
}

export type ProblemKind =
  | 'lost'
  | 'duplicated'
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
  /** How many of the unknown ones are stored. */
  unknownStored: number;
  /** Groups of transactions that no serial order explains, which snapshot isolation allows. */
  writeSkews: number;
  problems: HistoryProblem[];
}
