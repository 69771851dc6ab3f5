import { randomUUID } from 'node:crypto';

export type ReportLevel = 'fatal' | 'error' | 'warning' | 'info';

export interface ReportDetails {
  /** Default: error. */
  level?: ReportLevel;
  /** What to find and group reports by: route template, status, queue, job id. Never contents. */
  tags?: Readonly<Record<string, string | number | undefined>>;
  /** Reports with the same text here are sent once a minute; the next one sent says how many were left out. */
  throttle?: string;
}

/**
 * Tells those who mend this program of errors. The request or job at work (`currentContext`) is added to each report.
 * None of the methods throws or rejects.
 */
export interface ErrorReporter {
  /** Returns at once with the id of the report, 32 hexadecimal digits; also when nothing is sent. */
  report(error: unknown, details?: ReportDetails): string;
  /** A report of a state, not of an error: an alert that begins or ends. */
  notify(message: string, details?: ReportDetails): string;
  /** Waits until what was reported has been sent, `timeoutMs` at most; false when the time was not enough. */
  flush(timeoutMs: number): Promise<boolean>;
}

/** An id in the form of those that reports have. */
export const createErrorId = (): string => randomUUID().replaceAll('-', '');

/** Where reports go nowhere. */
export const silentReporter: ErrorReporter = {
  report: createErrorId,
  notify: createErrorId,
  flush: () => Promise.resolve(true),
};

/** Longest time that an ending process waits for its last reports to be sent, milliseconds. */
export const REPORT_FLUSH_MS = 2000;

/** Injection token of the process's `ErrorReporter`. */
export const ERROR_REPORTER = Symbol('ERROR_REPORTER');
