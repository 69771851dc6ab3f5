import type { Gap } from './frame.js';
import type { LoadedSegment } from './segment.js';

/** Ends of the names of the segments that one process wrote. */
const PROCESS_LETTERS = 9;

const bytesOf = (gaps: readonly Gap[]): number => gaps.reduce((sum, [from, to]) => sum + to - from, 0);

/**
 * Tells what a crash cut off from what was lost later, in bytes. Nobody was promised the last group that a process wrote, so what
 * cannot be read of it is `torn`; `later` are the segments with younger names, of any process.
 */
export function judge(
  { segment, gaps, lastGroup, torn }: LoadedSegment,
  later: readonly LoadedSegment[],
): { damaged: number; torn: number } {
  const process = segment.id.slice(-PROCESS_LETTERS);
  const isLast = !later.some(
    (one) => one.segment.id.endsWith(process) && (one.segment.end > 0 || one.torn > 0),
  );
  if (!isLast) return { damaged: bytesOf(gaps) + torn, torn: 0 };
  const isTorn = ([from]: Gap): boolean => from >= lastGroup;
  return {
    damaged: bytesOf(gaps.filter((gap) => !isTorn(gap))),
    torn: bytesOf(gaps.filter(isTorn)) + torn,
  };
}
