import type { CacheSection } from '../../cache/index.js';
import type { DatabaseSection } from '../../database/index.js';
import type {
  DiskSection,
  MonitoringSnapshot,
  ProcessSection,
  RequestsSection,
} from '../../monitoring/index.js';
import type { QueueFigures } from '../../queue/index.js';
import type { RedisSection } from '../../redis/index.js';
import type { SessionsSection } from '../../session/index.js';
import type { TranscriptsSection } from '../../transcript/index.js';

/**
 * `GET /v1/monitoring` with the sections of all modules. Sections that depend on the database or the disk are
 * null if they cannot be read.
 */
export interface ServiceSnapshot extends MonitoringSnapshot {
  requests: RequestsSection;
  process: ProcessSection;
  database: DatabaseSection;
  cache: CacheSection;
  redis: RedisSection;
  sessions: SessionsSection | null;
  queues: QueueFigures[] | null;
  transcripts: TranscriptsSection | null;
  disk: DiskSection | null;
}
