import { Inject, Injectable } from '@nestjs/common';
import { hostname } from 'node:os';
import { withTimeout } from '../../common/index.js';
import { MONITORING_SETTINGS, type MonitoringSettings, programVersion } from '../../config/index.js';
import { LOGGER, type Logger } from '../../logging/index.js';
import type { MeasuredValue, Measurement } from '../alerts/alert.js';
import type { HealthStatus } from '../health/health-check.js';
import { HealthService } from '../health/health.service.js';
import type { SnapshotSection } from '../contribution.js';
import { Monitoring } from '../monitoring.js';
import { SlowOperations } from '../timings/slow-operations.js';
import type { HealthSection, Measured } from './monitoring-snapshot.js';

/** Maximum time to read a section, milliseconds. */
const SECTION_TIMEOUT_MS = 1500;

/** States are 0 up, 1 degraded and 2 down: above 0 is a warning, above 1 is critical. */
const STATE_LEVELS = { warning: 0, critical: 1 };
const states: Readonly<Record<HealthStatus, number>> = { up: 0, degraded: 1, down: 2 };

/** Returns null if `read` fails or takes too long, so that the other sections are not affected. */
async function orNull<T>(read: () => T | Promise<T>): Promise<T | null> {
  try {
    return await withTimeout(read(), SECTION_TIMEOUT_MS, () => null);
  } catch {
    return null;
  }
}

const withLimits = (values: readonly MeasuredValue[]): Measurement[] =>
  values.flatMap(({ levels, worse = 'higher', ...rest }) => (levels ? [{ ...rest, worse, levels }] : []));

export interface SnapshotReading {
  measured: Measured;
  /** Values to compare with their limits. */
  limited: Measurement[];
}

/** Reads the sections of all modules. */
@Injectable()
export class SnapshotReader {
  /** Sections whose `alerts` have thrown; each is logged once. */
  private readonly failing = new Set<string>();

  constructor(
    private readonly monitoring: Monitoring,
    private readonly health: HealthService,
    private readonly slow: SlowOperations,
    @Inject(MONITORING_SETTINGS) private readonly settings: MonitoringSettings,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /**
   * Never rejects. Takes a few milliseconds, or as long as the slowest check if a dependency does not
   * respond.
   */
  async read(): Promise<SnapshotReading> {
    const [health, ...sections] = await Promise.all([
      this.readHealth(),
      ...this.monitoring.sections.map(async (section) => ({
        section,
        value: await orNull(() => section.read()),
      })),
    ]);
    const measured: Measured = {
      at: new Date().toISOString(),
      service: {
        name: 'colloquy',
        version: programVersion(),
        instance: `${hostname()}:${process.pid}`,
        node: process.version,
        uptimeSeconds: process.uptime(),
        monitoring: this.settings.MONITORING,
      },
      ...Object.fromEntries(sections.map(({ section: { name }, value }) => [name, value])),
      health,
      slow: this.slow.worst(),
    };
    const limited = sections.flatMap(({ section, value }) => this.alertsOf(section, value));
    return { measured, limited: withLimits([...limited, ...this.healthAlerts(health)]) };
  }

  /** The alerts of one module must not affect those of the others. */
  private alertsOf(section: SnapshotSection, value: unknown): MeasuredValue[] {
    try {
      return section.alerts?.(value) ?? [];
    } catch (error) {
      if (!this.failing.has(section.name))
        this.logger.error(
          { err: error, section: section.name },
          'the alerts of a module could not be determined',
        );
      this.failing.add(section.name);
      return [];
    }
  }

  private async readHealth(): Promise<HealthSection> {
    const report = await this.health.report('ready');
    const checks = Object.entries(report).map(([name, { status, reason, durationMs }]) => [
      name,
      { status, ...(reason !== undefined && { reason }), durationMs },
    ]);
    return {
      ready: Object.values(report).every(({ status }) => status !== 'down'),
      checks: Object.fromEntries(checks) as HealthSection['checks'],
    };
  }

  private healthAlerts({ checks }: HealthSection): MeasuredValue[] {
    return this.monitoring.checksWithAlert().flatMap(({ name, alertTitle: title }): MeasuredValue[] => {
      const check = checks[name];
      return check ? [{ name, title, unit: 'state', levels: STATE_LEVELS, value: states[check.status] }] : [];
    });
  }
}
