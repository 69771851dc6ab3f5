import { mkdtemp, open, rm } from 'node:fs/promises';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Percentiles, percentilesOf } from '../../test/support/percentiles.js';

const SYNCS = 300;

/**
 * Measures a bare write and fdatasync of 4 KiB at the end of a growing file, which is the lower bound for any
 * durable response.
 */
async function bareSyncs(): Promise<Percentiles> {
  const dir = await mkdtemp(join(tmpdir(), 'colloquy-bench-sync-'));
  const handle = await open(join(dir, 'bare'), 'w');
  const times: number[] = [];
  try {
    const bytes = Buffer.alloc(4096, 's');
    for (let n = 0; n < SYNCS; n++) {
      const begun = performance.now();
      await handle.write(bytes, 0, bytes.length, n * bytes.length);
      await handle.datasync();
      times.push(performance.now() - begun);
    }
  } finally {
    await handle.close();
    await rm(dir, { recursive: true });
  }
  return percentilesOf(times);
}

/** Describes the machine that the figures depend on, in one line. */
export async function machineLine(): Promise<string> {
  const { p50, p99 } = await bareSyncs();
  const load = loadavg()[0] ?? NaN;
  return (
    `${cpus().length} CPUs (${cpus()[0]?.model ?? 'unknown'}), load average ${load.toFixed(1)}, Node ${process.version}, ` +
    `a bare write and fdatasync of 4 KiB takes ${p50.toFixed(2)} ms (p99 ${p99.toFixed(2)} ms)`
  );
}
