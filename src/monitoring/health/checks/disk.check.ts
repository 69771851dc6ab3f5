import { statfs } from 'node:fs/promises';
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import {
  DATABASE_SETTINGS,
  type DatabaseSettings,
  MONITORING_SETTINGS,
  type MonitoringSettings,
  SERVICE_SETTINGS,
  type ServiceSettings,
} from '../../../config/index.js';
import type { HealthFinding } from '../health-check.js';
import { HealthRegistry } from '../health-registry.js';

/** Finds what little space means: below `minBytes` degraded, below `criticalBytes` down, as the embedded store can write nothing any more. */
export function judgeFreeSpace(
  freeBytes: number,
  { minBytes, criticalBytes }: { minBytes: number; criticalBytes: number },
): HealthFinding {
  const details = { freeBytes, minBytes, criticalBytes };
  if (freeBytes < criticalBytes)
    return { status: 'down', reason: `the disk of DATA_DIR has ${freeBytes} bytes left`, details };
  if (freeBytes < minBytes)
    return { status: 'degraded', reason: `the disk of DATA_DIR has ${freeBytes} bytes left`, details };
  return { status: 'up', details };
}

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT';

/** The disk of DATA_DIR: the embedded store. */
@Injectable()
export class DiskHealth implements OnModuleInit {
  constructor(
    private readonly registry: HealthRegistry,
    @Inject(SERVICE_SETTINGS) private readonly service: ServiceSettings,
    @Inject(MONITORING_SETTINGS) private readonly settings: MonitoringSettings,
    @Inject(DATABASE_SETTINGS) private readonly database: DatabaseSettings,
  ) {}

  onModuleInit(): void {
    this.registry.register({ name: 'disk', kind: 'required', run: () => this.look() });
  }

  private async look(): Promise<HealthFinding> {
    const disk = await statfs(this.service.DATA_DIR).catch((error: unknown) => {
      // With a MongoDB nothing is stored there, and the folder need not exist.
      if (this.database.MONGODB_URI !== undefined && isMissing(error)) return undefined;
      throw error;
    });
    if (!disk) return { status: 'up' };
    // What an unprivileged user may still write.
    const { bavail, bsize } = disk;
    return judgeFreeSpace(bavail * bsize, {
      minBytes: this.settings.HEALTH_DISK_MIN_BYTES,
      criticalBytes: this.settings.HEALTH_DISK_CRITICAL_BYTES,
    });
  }
}
