import { randomUUID } from 'node:crypto';
import type { Alert, AlertSeverity, Measurement } from './alert.js';
import { alertMessage } from './alert-message.js';

/**
 * raised: it starts. worsened: a warning becomes critical. eased: critical becomes a warning. cleared: it
 * ends.
 */
export type AlertChangeKind = 'raised' | 'worsened' | 'eased' | 'cleared';

export interface AlertChange {
  kind: AlertChangeKind;
  alert: Alert;
}

export interface AlertTrackerOptions {
  /** How long a value must be beyond a limit, or back within it, milliseconds. */
  holdMs: number;
  /** Returns milliseconds since 1970. */
  now?: () => number;
}

/**
 * Minimum number of samples, however long `holdMs` is: a value seen once before a long pause of the process
 * is not enough.
 */
const MIN_SAMPLES = 3;
/** An alert ends only when the value is within its limit by this share of the limit. */
const MARGIN = 0.1;
const MAX_RECENT = 100;

/** Tracks whether a condition has been true for long enough, without interruption. */
class Hold {
  private since: number | undefined;
  private samples = 0;

  constructor(private readonly holdMs: number) {}

  /** Returns since when the condition has been true; undefined until it has been true for long enough. */
  note(isTrue: boolean, now: number): number | undefined {
    if (!isTrue) {
      this.reset();
      return undefined;
    }
    this.since ??= now;
    this.samples++;
    return this.samples >= MIN_SAMPLES && now - this.since >= this.holdMs ? this.since : undefined;
  }

  reset(): void {
    this.since = undefined;
    this.samples = 0;
  }
}

interface Comparison {
  /**
   * Since when the value has been beyond the limit, milliseconds since 1970; undefined until that has lasted
   * long enough.
   */
  beyond: number | undefined;
  /** The value has been well within the limit for long enough. */
  isWithin: boolean;
}

/** Compares one value with one limit. */
class LevelWatch {
  private readonly beyond: Hold;
  private readonly within: Hold;

  constructor(holdMs: number) {
    this.beyond = new Hold(holdMs);
    this.within = new Hold(holdMs);
  }

  compare(value: number | null, limit: number, worse: Measurement['worse'], now: number): Comparison {
    const isHigher = worse === 'higher';
    const isBeyond = value !== null && (isHigher ? value > limit : value < limit);
    const isWithin =
      value === null || (isHigher ? value <= limit * (1 - MARGIN) : value >= limit * (1 + MARGIN));
    return {
      beyond: this.beyond.note(isBeyond, now),
      isWithin: this.within.note(isWithin, now) !== undefined,
    };
  }

  reset(): void {
    this.beyond.reset();
    this.within.reset();
  }
}

/** Compares one value with its limits, and holds its alert if there is one. */
class Watch {
  private readonly levels: Record<AlertSeverity, LevelWatch>;
  alert: Alert | undefined;
  private worst: AlertSeverity = 'warning';

  constructor(holdMs: number) {
    this.levels = { warning: new LevelWatch(holdMs), critical: new LevelWatch(holdMs) };
  }

  update(measurement: Measurement, now: number): AlertChange | undefined {
    const { value, levels, worse } = measurement;
    if (value === undefined) {
      this.levels.warning.reset();
      this.levels.critical.reset();
      return undefined;
    }
    const warning = this.levels.warning.compare(value, levels.warning, worse, now);
    const critical = this.levels.critical.compare(value, levels.critical, worse, now);
    if (!this.alert) return this.raise(measurement, warning, critical);
    if (warning.isWithin) return this.clear(now);
    if (value !== null) this.alert = { ...this.alert, value };
    const { severity } = this.alert;
    if (severity === 'warning' && critical.beyond !== undefined) return this.change('worsened', measurement);
    if (severity === 'critical' && critical.isWithin) return this.change('eased', measurement);
    if (value !== null) this.describe(measurement);
    return undefined;
  }

  private raise(
    measurement: Measurement,
    warning: Comparison,
    critical: Comparison,
  ): AlertChange | undefined {
    const since = warning.beyond ?? critical.beyond;
    if (since === undefined || typeof measurement.value !== 'number') return undefined;
    const severity = critical.beyond === undefined ? 'warning' : 'critical';
    this.worst = severity;
    this.alert = {
      id: randomUUID(),
      name: measurement.name,
      severity,
      message: '',
      value: measurement.value,
      limit: measurement.levels[severity],
      unit: measurement.unit,
      startedAt: new Date(since).toISOString(),
      endedAt: null,
    };
    this.describe(measurement);
    return { kind: 'raised', alert: this.alert };
  }

  private change(kind: 'worsened' | 'eased', measurement: Measurement): AlertChange | undefined {
    if (!this.alert) return undefined;
    const severity = kind === 'worsened' ? 'critical' : 'warning';
    if (severity === 'critical') this.worst = severity;
    this.alert = { ...this.alert, severity, limit: measurement.levels[severity] };
    this.describe(measurement);
    return { kind, alert: this.alert };
  }

  private clear(now: number): AlertChange | undefined {
    if (!this.alert) return undefined;
    const alert = { ...this.alert, severity: this.worst, endedAt: new Date(now).toISOString() };
    this.alert = undefined;
    return { kind: 'cleared', alert };
  }

  private describe(measurement: Measurement): void {
    if (!this.alert) return;
    const { value, limit } = this.alert;
    this.alert = { ...this.alert, message: alertMessage(measurement, value, limit) };
  }
}

const bySeverity = (a: Alert, b: Alert): number =>
  Number(b.severity === 'critical') - Number(a.severity === 'critical') ||
  a.startedAt.localeCompare(b.startedAt);

/**
 * Raises and clears alerts based on measurements. An alert starts when a value has been beyond its limit for
 * `holdMs` without interruption, and ends when it has been within the limit by at least a tenth for as long.
 * A fluctuating value therefore causes one alert or none.
 */
export class AlertTracker {
  private readonly watches = new Map<string, Watch>();
  private readonly ended: Alert[] = [];
  private readonly holdMs: number;
  private readonly now: () => number;

  constructor({ holdMs, now = Date.now }: AlertTrackerOptions) {
    this.holdMs = holdMs;
    this.now = now;
  }

  /** Returns the changes. Alerts whose value is not among the measurements stay unchanged. */
  update(measurements: readonly Measurement[]): AlertChange[] {
    const now = this.now();
    return measurements.flatMap((measurement) => {
      const change = this.watchOf(measurement.name).update(measurement, now);
      if (change?.kind === 'cleared') this.remember(change.alert);
      return change ? [change] : [];
    });
  }

  /** Active alerts: critical ones first, then by start time. */
  active(): Alert[] {
    return [...this.watches.values()].flatMap(({ alert }) => (alert ? [alert] : [])).sort(bySeverity);
  }

  /** Ended alerts, latest first. */
  recent(): Alert[] {
    return this.ended.toReversed();
  }

  private watchOf(name: string): Watch {
    let watch = this.watches.get(name);
    if (!watch) {
      watch = new Watch(this.holdMs);
      this.watches.set(name, watch);
    }
    return watch;
  }

  private remember(alert: Alert): void {
    this.ended.push(alert);
    if (this.ended.length > MAX_RECENT) this.ended.shift();
  }
}
