import { statfs } from 'node:fs/promises';
import { Inject, Injectable } from '@nestjs/common';
import {
  DATABASE_SETTINGS,
  type DatabaseSettings,
  MONITORING_SETTINGS,
  type MonitoringSettings,
  SERVICE_SETTINGS,
  type ServiceSettings,
} from '../../config/index.js';
import type { HealthFinding } from '../health/health-check.js';
import { Monitoring } from '../monitoring.js';
import type { DiskSection } from '../snapshot/monitoring-snapshot.js';

/**
 * Below `minBytes` of free space the disk is degraded. Below `criticalBytes` it is down, because the embedded
 * store will soon be unable to write.
 */
export function checkFreeSpace(
  freeBytes: number,
  { minBytes, criticalBytes }: { minBytes: number; criticalBytes: number },
): HealthFinding {
  const details = { freeBytes, minBytes, criticalBytes };
  if (freeBytes >= minBytes) return { status: 'up', details };
  const reason = `the disk of DATA_DIR has only ${freeBytes} bytes of free space`;
  return { status: freeBytes < criticalBytes ? 'down' : 'degraded', reason, details };
}

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT';

/** Monitors the disk of DATA_DIR, which holds the embedded store. */
@Injectable()
export class DiskMonitoring {
  constructor(
    monitoring: Monitoring,
    @Inject(SERVICE_SETTINGS) private readonly service: ServiceSettings,
    @Inject(MONITORING_SETTINGS) private readonly settings: MonitoringSettings,
    @Inject(DATABASE_SETTINGS) private readonly database: DatabaseSettings,
  ) {
    monitoring.contribute<DiskSection>({
      health: [{ name: 'disk', kind: 'required', run: () => this.check() }],
      snapshot: {
        name: 'disk',
        read: () => this.read(),
        alerts: (disk) => [
          {
            name: 'disk_free',
            title: 'The free space on the disk of DATA_DIR',
            unit: 'bytes',
            worse: 'lower',
            levels: {
              warning: settings.HEALTH_DISK_MIN_BYTES,
              critical: settings.HEALTH_DISK_CRITICAL_BYTES,
            },
            value: disk?.freeBytes,
          },
        ],
      },
    });
  }

  private async read(): Promise<DiskSection> {
    // `bavail` is the space available to unprivileged processes.
    const { bavail, blocks, bsize } = await statfs(this.service.DATA_DIR);
    const freeBytes = bavail * bsize;
    const totalBytes = blocks * bsize;
    return { freeBytes, totalBytes, freeRatio: totalBytes > 0 ? freeBytes / totalBytes : 0 };
  }

  private async check(): Promise<HealthFinding> {
    const disk = await this.read().catch((error: unknown) => {
      // With a MongoDB server, nothing is stored in this directory, so it need not exist.
      if (this.database.MONGODB_URI !== undefined && isMissing(error)) return undefined;
      throw error;
    });
    if (!disk) return { status: 'up' };
    return checkFreeSpace(disk.freeBytes, {
      minBytes: this.settings.HEALTH_DISK_MIN_BYTES,
      criticalBytes: this.settings.HEALTH_DISK_CRITICAL_BYTES,
    });
  }
}
