import { isDoc, type Value } from '../values/bson.js';
import { ServerError } from '../values/errors.js';

const limitBytes = 100 * 1024 * 1024;

/** Bytes that one blocking stage holds, by estimate. Beyond 100 MiB the pipeline ends with error 292. */
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

/** Roughly what a value takes in memory. */
export function approximateBytes(value: Value): number {
  if (typeof value === 'string') return 16 + value.length;
  if (typeof value !== 'object' || value === null) return 8;
  if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + approximateBytes(item), 32);
  if (!isDoc(value)) return 32;
  let bytes = 32;
  for (const field in value) bytes += 8 + approximateBytes(value[field]);
  return bytes;
}
