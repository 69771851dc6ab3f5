import type { FindSpec, PlanSummary, ScanStats } from '../engine/types.js';
import { isDoc, isNumeric, type Doc } from '../values/bson.js';
import type { ReplyDoc } from './bson-writer.js';

/**
 * Statistics of one execution, which provide the stages' counters. Without them, explain shows only the plan.
 */
export interface Execution {
  stats: ScanStats;
  millis: number;
}

/**
 * The filter as shown by MongoDB: one clause per condition with explicit equality, and several joined by
 * `$and`.
 */
export function parsedQuery(filter: Doc): Doc {
  const clauses = clausesOf(filter);
  return clauses.length > 1 ? { $and: clauses } : (clauses[0] ?? {});
}

const clausesOf = (filter: Doc): Doc[] =>
  Object.entries(filter).flatMap(([field, value]): Doc[] => {
    if (field === '$and' && Array.isArray(value)) return value.filter(isDoc).flatMap(clausesOf);
    if (field.startsWith('$')) {
      return [
        { [field]: Array.isArray(value) ? value.map((one) => (isDoc(one) ? parsedQuery(one) : one)) : value },
      ];
    }
    const operators = isDoc(value) ? Object.keys(value) : [];
    if (!isDoc(value) || !operators[0]?.startsWith('$')) return [{ [field]: { $eq: value } }];
    return operators.map((operator) => ({ [field]: { [operator]: value[operator] } }));
  });

/**
 * The stages of a query, from outermost to innermost as MongoDB nests them. Includes counters if the query
 * was executed.
 */
export function planStages(plan: PlanSummary, spec: FindSpec, run?: Execution): ReplyDoc {
  const matched = run?.stats.matched ?? 0;
  const returned = run?.stats.nReturned ?? 0;
  let stage = accessStage(plan, spec, run);
  if (plan.blockingSort && spec.sort) {
    stage = {
      stage: 'SORT',
      ...counters(run, returned + (spec.limit ? 0 : (spec.skip ?? 0))),
      sortPattern: spec.sort,
      memLimit: 104_857_600,
      ...(spec.limit && { limitAmount: spec.limit + (spec.skip ?? 0) }),
      type: 'simple',
      ...(run && { totalDataSizeSorted: 0, usedDisk: false }),
      inputStage: stage,
    };
  }
  if (spec.skip) {
    stage = {
      stage: 'SKIP',
      ...counters(run, Math.max(0, matched - spec.skip)),
      skipAmount: spec.skip,
      inputStage: stage,
    };
  }
  if (spec.limit && !plan.blockingSort) {
    stage = { stage: 'LIMIT', ...counters(run, returned), limitAmount: spec.limit, inputStage: stage };
  }
  if (spec.projection && Object.keys(spec.projection).length > 0) {
    stage = {
      stage: isSimple(spec.projection) ? 'PROJECTION_SIMPLE' : 'PROJECTION_DEFAULT',
      ...counters(run, returned),
      transformBy: spec.projection,
      inputStage: stage,
    };
  }
  return stage;
}

const isSimple = (projection: Doc): boolean =>
  Object.entries(projection).every(
    ([field, value]) => !field.includes('.') && (isNumeric(value) || typeof value === 'boolean'),
  );

function accessStage(plan: PlanSummary, spec: FindSpec, run: Execution | undefined): ReplyDoc {
  const matched = run?.stats.matched ?? 0;
  const filter =
    plan.filtered && Object.keys(spec.filter).length > 0 ? { filter: parsedQuery(spec.filter) } : {};
  const docs = run && { docsExamined: run.stats.docsExamined };
  switch (plan.stage) {
    case 'EOF':
      return { stage: 'EOF', ...counters(run, 0) };
    case 'COLLSCAN':
      return {
        stage: 'COLLSCAN',
        ...filter,
        ...counters(run, matched),
        direction: plan.direction ?? 'forward',
        ...docs,
      };
    case 'IDHACK':
      return {
        stage: 'IDHACK',
        ...counters(run, matched),
        keyPattern: plan.keyPattern ?? { _id: 1 },
        indexName: plan.indexName ?? '_id_',
        ...(run && { keysExamined: run.stats.keysExamined }),
        ...docs,
      };
    case 'OR':
      return {
        stage: 'FETCH',
        ...filter,
        ...counters(run, matched),
        ...docs,
        inputStage: {
          stage: 'OR',
          ...counters(run, run?.stats.docsExamined ?? 0),
          inputStages: (plan.inputs ?? []).map((input) =>
            input.stage === 'IXSCAN' ? indexScan(input) : accessStage(input, spec, undefined),
          ),
        },
      };
    case 'IXSCAN':
      return {
        stage: 'FETCH',
        ...filter,
        ...counters(run, matched),
        ...docs,
        inputStage: indexScan(plan, run),
      };
  }
}

const indexScan = (plan: PlanSummary, run?: Execution): ReplyDoc => ({
  stage: 'IXSCAN',
  ...counters(run, run?.stats.docsExamined ?? 0),
  keyPattern: plan.keyPattern,
  indexName: plan.indexName,
  ...plan.indexFlags,
  indexVersion: 2,
  direction: plan.direction ?? 'forward',
  indexBounds: plan.indexBounds,
  ...(run && { keysExamined: run.stats.keysExamined }),
});

const counters = (run: Execution | undefined, nReturned: number): ReplyDoc =>
  run ? { nReturned, executionTimeMillisEstimate: run.millis, advanced: nReturned, isEOF: 1 } : {};
