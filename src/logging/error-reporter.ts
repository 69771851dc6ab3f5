import { randomUUID } from 'node:crypto';

export type ReportLevel = 'fatal' | 'error' | 'warning' | 'info';

export interface ReportDetails {
  /** Defaults to `error`. */
  level?: ReportLevel;
  /** Fields for finding and grouping reports: route template, status, queue, job id. Never contents. */
  tags?: Readonly<Record<string, string | number | undefined>>;
  /**
   * Reports with the same text here are sent at most once a minute. The next one includes how many were
   * suppressed.
   */
  throttle?: string;
}

/**
 * Reports errors to the people who maintain this program. The current request or job (`currentContext`) is
 * added to each report. None of the methods throws or rejects.
 */
export interface ErrorReporter {
  /** Returns the id of the report immediately, 32 hexadecimal digits, even when nothing is sent. */
  report(error: unknown, details?: ReportDetails): string;
  /** Reports a state rather than an error: an alert that starts or ends. */
  notify(message: string, details?: ReportDetails): string;
  /** Waits up to `timeoutMs` until all reports have been sent. Returns false when the time ran out. */
  flush(timeoutMs: number): Promise<boolean>;
}

/** Creates an id in the format of report ids. */
export const createErrorId = (): string => randomUUID().replaceAll('-', '');

/** A reporter that sends nothing. */
export const silentReporter: ErrorReporter = {
  report: createErrorId,
  notify: createErrorId,
  flush: () => Promise.resolve(true),
};

/** Maximum time that an exiting process waits for its last reports to be sent, in milliseconds. */
export const REPORT_FLUSH_MS = 2000;

/** Injection token for the process's `ErrorReporter`. */
export const ERROR_REPORTER = Symbol('ERROR_REPORTER');
