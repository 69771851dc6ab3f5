import type { mongo } from 'mongoose';
import { renderTable } from '../../src/cli/index.js';
import { type QueryShape, shapeOf } from './query-shape.js';
import { isServed, keyText, type IndexKey, suggestedKey } from './suggest-index.js';

type Doc = mongo.Document;

/** All operations of one shape. Times are in whole milliseconds, as in the profile. */
export interface ShapeSummary {
  shape: QueryShape;
  count: number;
  totalMs: number;
  p50: number;
  p95: number;
  max: number;
  examined: number;
  returned: number;
  plans: readonly string[];
  /** Undefined for operations without a query: inserts, commits. */
  usesIndex: boolean | undefined;
  sortsInMemory: boolean;
}

interface Group {
  shape: QueryShape;
  times: number[];
  examined: number;
  returned: number;
  plans: Set<string>;
  sorts: boolean;
}

const number = (value: unknown): number => Number(value ?? 0);

/** The number of documents that an operation returned or changed. */
const returnedOf = (entry: Doc): number =>
  number(entry['nreturned'] ?? entry['nMatched'] ?? entry['ndeleted'] ?? entry['ninserted']);

const percentile = (sorted: readonly number[], share: number): number =>
  sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;

/** Groups entries of `system.profile` by shape. */
export class ProfileSummary {
  private readonly groups = new Map<string, Group>();
  entries = 0;

  add(entry: Doc): void {
    this.entries++;
    const shape = shapeOf(entry);
    const group = this.groups.get(shape.key) ?? {
      shape,
      times: [],
      examined: 0,
      returned: 0,
      plans: new Set<string>(),
      sorts: false,
    };
    this.groups.set(shape.key, group);
    group.times.push(number(entry['millis']));
    group.examined += number(entry['docsExamined']);
    group.returned += returnedOf(entry);
    if (typeof entry['planSummary'] === 'string') group.plans.add(entry['planSummary']);
    group.sorts ||= entry['hasSortStage'] === true;
  }

  /** Returns the shapes by total time, highest first, then by documents examined. */
  shapes(): ShapeSummary[] {
    return [...this.groups.values()]
      .map(({ shape, times, plans, sorts, examined, returned }): ShapeSummary => {
        const sorted = times.toSorted((a, b) => a - b);
        const searched = [...plans].filter((plan) => plan !== 'EOF');
        return {
          shape,
          count: times.length,
          totalMs: times.reduce((sum, one) => sum + one, 0),
          p50: percentile(sorted, 0.5),
          p95: percentile(sorted, 0.95),
          max: sorted.at(-1) ?? 0,
          examined,
          returned,
          plans: searched,
          usesIndex: searched.length === 0 ? undefined : !searched.some((plan) => plan.includes('COLLSCAN')),
          sortsInMemory: sorts,
        };
      })
      .sort((a, b) => b.totalMs - a.totalMs || b.examined - a.examined || b.count - a.count);
  }
}

/**
 * A shape is wasteful when it examines more than these numbers of documents, both per returned document and
 * per query.
 */
const WASTEFUL = { perReturned: 10, perSearch: 100 };

/** Describes what is wrong with how the queries of a shape run; undefined when nothing is. */
export function complaintOf(summary: ShapeSummary): string | undefined {
  const { usesIndex, sortsInMemory, examined, returned, count } = summary;
  if (usesIndex === undefined) return undefined;
  if (!usesIndex) return 'reads the whole collection';
  if (sortsInMemory) return 'sorts in memory';
  const isWasteful = examined > returned * WASTEFUL.perReturned && examined > count * WASTEFUL.perSearch;
  return isWasteful ? `examines ${Math.round(examined / count)} documents each time` : undefined;
}

/**
 * Suggests an index for a shape that runs badly. Undefined when there is none to suggest or it already
 * exists.
 */
export function suggestionFor(
  summary: ShapeSummary,
  existing: readonly Readonly<Record<string, unknown>>[],
): IndexKey | undefined {
  if (complaintOf(summary) === undefined) return undefined;
  const key = suggestedKey(summary.shape);
  return key && !isServed(key, existing) ? key : undefined;
}

const indexText = ({ usesIndex, plans }: ShapeSummary): string =>
  usesIndex === undefined ? '–' : plans.join('; ');

const ms = (value: number): string => (value < 1 ? '<1' : String(Math.round(value)));

/** Existing indexes by namespace. */
export type ExistingIndexes = ReadonlyMap<string, readonly Readonly<Record<string, unknown>>[]>;

/** Renders the `top` slowest shapes and the indexes that would help. */
export function renderProfile(summary: ProfileSummary, existing: ExistingIndexes, top: number): string {
  const all = summary.shapes();
  const shown = all.slice(0, top);
  const rows = shown.map((one, at) => [
    String(at + 1),
    one.shape.operation,
    String(one.count),
    ms(one.p50),
    ms(one.p95),
    ms(one.max),
    String(one.examined),
    String(one.returned),
    indexText(one),
  ]);
  const head = ['', 'operation', 'count', 'p50 ms', 'p95', 'max', 'examined', 'returned', 'index'];
  const shapes = shown.map(({ shape }, at) => {
    const sort = Object.keys(shape.sort).length > 0 ? ` sort ${keyText(shape.sort)}` : '';
    return `${at + 1}  ${shape.namespace} ${shape.operation} ${shape.filter}${sort}\n`;
  });
  const advice = all.flatMap((one) => {
    const complaint = complaintOf(one);
    if (complaint === undefined) return [];
    const { namespace, operation, filter } = one.shape;
    const key = suggestionFor(one, existing.get(namespace) ?? []);
    const help = key ? `an index would help: ${keyText(key)}` : 'no index to suggest: check the query itself';
    return [`${namespace}: ${operation} ${filter} ${complaint}; ${help}\n`];
  });
  return [
    `${summary.entries} operations of ${all.length} shapes; the ${shown.length} with the highest total time:\n\n`,
    renderTable([head, ...rows], new Set([2, 3, 4, 5, 6, 7])),
    `\n${shapes.join('')}\n`,
    all.every(({ usesIndex }) => usesIndex === undefined)
      ? 'No queries were recorded, so there is nothing to say about indexes.\n'
      : advice.length === 0
        ? 'Every query used a suitable index.\n'
        : advice.join(''),
  ].join('');
}
