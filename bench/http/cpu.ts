import { readFile } from 'node:fs/promises';

const TICKS_PER_SECOND = 100;

/**
 * CPU time used so far by a process or its main thread, in seconds; NaN when the system does not report it.
 */
export async function cpuSeconds(pid: number, of: 'process' | 'main thread'): Promise<number> {
  const path = of === 'process' ? `/proc/${pid}/stat` : `/proc/${pid}/task/${pid}/stat`;
  try {
    const stat = await readFile(path, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  } catch {
    return NaN;
  }
}
