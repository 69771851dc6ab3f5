import { isDoc, type Value } from '../values/bson.js';
import { ServerError } from '../values/errors.js';

const limitBytes = 100 * 1024 * 1024;

/** Estimated bytes held by one blocking stage. Above 100 MiB the pipeline fails with error 292. */
export class MemoryBudget {
  private used = 0;

  constructor(
    private readonly stage: string,
    private readonly limit = limitBytes,
  ) {}

  add(bytes: number): void {
    this.used += bytes;
    if (this.used > this.limit) {
      throw new ServerError(
        'QueryExceededMemoryLimitNoDiskUseAllowed',
        `Exceeded memory limit for ${this.stage}: ${this.limit} bytes. This server does not spill to disk.`,
      );
    }
  }

  addValue(value: Value): void {
    this.add(approximateBytes(value));
  }
}

/** Estimates the memory that a value takes. */
export function approximateBytes(value: Value): number {
  if (typeof value === 'string') return 16 + value.length;
  if (typeof value !== 'object' || value === null) return 8;
  if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + approximateBytes(item), 32);
  if (!isDoc(value)) return 32;
  let bytes = 32;
  for (const field in value) bytes += 8 + approximateBytes(value[field]);
  return bytes;
}
