import { comparePositions, type Change, type ChangeLog } from '../engine/change-log.js';
import type { ClusterTime } from '../engine/cluster-clock.js';
import { encode, formatValue, isDoc, type Doc } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import { EventBuilder } from './change-event.js';
import { changeStreamOptions, type ChangeStreamOptions } from './change-stream-options.js';
import type { PipelineContext } from './context.js';
import { buildStages, stageName } from './pipeline.js';
import { compareTokens, markAt, tokenOf, type StreamPosition } from './resume-token.js';
import { maxEventBytes, splitEvent, tooLarge } from './split-event.js';
import { batched, checkInterrupted, Pacer, type Batches, type Stage } from './stream.js';

const allowedStages: ReadonlySet<string> = new Set([
  '$match',
  '$project',
  '$addFields',
  '$set',
  '$unset',
  '$replaceRoot',
  '$replaceWith',
  '$redact',
]);
const splitStage = '$changeStreamSplitLargeEvent';

/** Whether a pipeline is a change stream. */
export const isChangeStream = (pipeline: readonly Doc[]): boolean =>
  pipeline[0] !== undefined && Object.hasOwn(pipeline[0], '$changeStream');

/**
 * Validates the pipeline of a change stream and starts watching. `collectionless`: the command runs on a
 * database instead of a collection.
 */
export function openChangeStream(
  context: PipelineContext,
  pipeline: readonly Doc[],
  collectionless: boolean,
): ChangeStream {
  stageName(pipeline[0]!);
  const options = changeStreamOptions(pipeline[0]!['$changeStream'], context.ns, collectionless);
  const names = pipeline.slice(1).map(stageName);
  const splits = names.at(-1) === splitStage;
  const rest = splits ? pipeline.slice(1, -1) : pipeline.slice(1);
  const stages = buildStages(
    rest.filter((stage) => Object.keys(stage)[0] !== splitStage),
    context,
  );
  for (const name of names) {
    if (allowedStages.has(name) || name === splitStage) continue;
    throw new ServerError('IllegalOperation', `${name} is not permitted in a $changeStream pipeline`);
  }
  if (names.slice(0, -1).includes(splitStage)) {
    throw new ServerError(7182802, `${splitStage} must be the last stage in the pipeline`);
  }
  return new ChangeStream(context, options, stages, splits);
}

const historyLost = (): ServerError =>
  new ServerError(
    'ChangeStreamHistoryLost',
    'Resume of change stream was not possible, as the resume point may no longer be in the oplog.',
  );

/**
 * The events of one change stream, read like a cursor. It never waits: a batch is empty when there are no
 * further events yet, and `onMore` notifies when there may be more.
 */
export class ChangeStream {
  private readonly log: ChangeLog;
  private readonly events: EventBuilder;
  private readonly reader = { next: 0 };
  private readonly stopReading: () => void;
  /** Events that are built but not returned yet. */
  private ready: { bytes: Uint8Array; position: StreamPosition }[] = [];
  /** Everything up to this position has been returned or does not belong to this stream. */
  private position: StreamPosition;
  private ended = false;
  /** The last fragment of the first event that was returned before the stream was resumed. */
  private skip: StreamPosition | undefined;
  private endsWith: Change | undefined;

  constructor(
    private readonly context: PipelineContext,
    options: ChangeStreamOptions,
    private readonly stages: readonly Stage[],
    private readonly splits: boolean,
  ) {
    this.log = context.engine.changes;
    this.events = new EventBuilder(options, context.engine);
    this.position = this.start(options);
    this.stopReading = this.log.addReader(this.reader);
  }

  async next(
    maxDocs: number,
    maxBytes = Number.MAX_SAFE_INTEGER,
  ): Promise<{ docs: Uint8Array[]; done: boolean }> {
    const docs: Uint8Array[] = [];
    const pacer = new Pacer();
    let bytes = 0;
    for (;;) {
      const event = this.ready[0];
      if (event) {
        bytes += event.bytes.length;
        if (docs.length >= maxDocs || (docs.length > 0 && bytes > maxBytes)) break;
        this.ready.shift();
        this.position = event.position;
        docs.push(event.bytes);
      } else if (this.ended || docs.length >= maxDocs) break;
      else if (!(await this.advance())) break;
      else await pacer.yieldIfDue();
    }
    return { docs, done: this.ended && this.ready.length === 0 };
  }

  /** Calls `wake` when there may be new events for this stream, until the returned function is called. */
  onMore(wake: () => void): () => void {
    return this.log.subscribe(() => {
      this.skipForeign();
      if (this.reader.next < this.log.end) wake();
    });
  }

  replyFields(): { postBatchResumeToken: Doc } {
    return { postBatchResumeToken: tokenOf(this.position) };
  }

  close(): void {
    this.ended = true;
    this.ready = [];
    this.stopReading();
  }

  /** Sets the position from which to read. */
  private start({ after, startAt }: ChangeStreamOptions): StreamPosition {
    const { log } = this;
    if (startAt) {
      if (comparePositions({ ...startAt, index: 0 }, log.floor) <= 0) throw historyLost();
      const before = markAt({ t: startAt.t, i: Math.max(0, startAt.i - 1) });
      this.reader.next = log.firstAfter(before);
      return before;
    }
    if (!after) {
      this.reader.next = log.end;
      return markAt(log.clock.time);
    }
    if (comparePositions(after, log.floor) < 0) throw historyLost();
    this.reader.next = log.firstAfter(after);
    if (after.kind === 'event') this.startAfterEvent(after);
    return after;
  }

  private startAfterEvent(after: StreamPosition): void {
    const { log, reader } = this;
    const event = reader.next > log.first ? log.at(reader.next - 1) : undefined;
    if (!event || comparePositions({ ...event.time, index: event.index }, after) !== 0) {
      if (comparePositions(after, log.floor) === 0 && after.fragment === undefined) return;
      throw new ServerError(
        'ChangeStreamFatalError',
        `cannot resume stream; the resume token was not found. ${formatValue(tokenOf(after))}`,
      );
    }
    if (after.fragment !== undefined) {
      this.skip = after;
      reader.next--;
    } else if (this.events.concerns(event) && this.events.invalidates(event)) this.endsWith = event;
  }

  /** Processes the next change. Returns false if there is none yet. */
  private async advance(): Promise<boolean> {
    checkInterrupted(this.context.interruption);
    if (this.endsWith) {
      await this.invalidate(this.endsWith);
      return true;
    }
    if (this.reader.next < this.log.first) throw historyLost();
    this.skipForeign();
    const change = this.log.at(this.reader.next);
    if (!change) {
      this.passTo(this.log.clock.time);
      return false;
    }
    this.reader.next++;
    const position: StreamPosition = { ...change.time, index: change.index, kind: 'event' };
    await this.send(await this.events.event(change, tokenOf(position)), position);
    if (this.events.invalidates(change)) this.endsWith = change;
    return true;
  }

  /**
   * Records that all changes up to `time` were processed. If nothing has happened since the last event, that
   * event's own token is kept.
   */
  private passTo(time: ClusterTime): void {
    const { t, i, index } = this.position;
    if (comparePositions({ ...time, index }, { t, i, index }) > 0) this.position = markAt(time);
  }

  /** Skips changes that do not belong to this stream, so that the log can evict them. */
  private skipForeign(): void {
    const { log, reader, events } = this;
    if (reader.next < log.first) return;
    for (;;) {
      const change = log.at(reader.next);
      if (!change || events.concerns(change)) return;
      reader.next++;
    }
  }

  private async invalidate(change: Change): Promise<void> {
    const position: StreamPosition = { ...change.time, index: change.index, kind: 'invalidate' };
    await this.send(this.events.invalidation(change, tokenOf(position)), position);
    this.endsWith = undefined;
    this.ended = true;
    if (this.ready.length === 0) this.position = position;
  }

  /** Passes an event through the stages after `$changeStream`. */
  private async send(event: Doc, position: StreamPosition): Promise<void> {
    const token = event['_id'] as Doc;
    if (this.stages.length === 0) return this.give(event, position);
    let output: Batches = batched([event]);
    for (const stage of this.stages) output = stage(output);
    for await (const batch of output) {
      for (const doc of batch) {
        checkToken(doc, token);
        this.give(doc, position);
      }
    }
  }

  private give(event: Doc, position: StreamPosition): void {
    const bytes = encode(event);
    if (bytes.length <= maxEventBytes) {
      this.ready.push({ bytes, position });
      return;
    }
    if (!this.splits) throw tooLarge(bytes.length);
    const positionOf = (fragment: number): StreamPosition => ({ ...position, fragment });
    splitEvent(event, (fragment) => tokenOf(positionOf(fragment))).forEach((part, fragment) => {
      if (this.skip && compareTokens(positionOf(fragment), this.skip) <= 0) return;
      this.ready.push({ bytes: encode(part), position: positionOf(fragment) });
    });
  }
}

/** Throws if a stage changed the resume token. */
function checkToken(doc: Doc, token: Doc): void {
  const id = doc['_id'];
  if (isDoc(id) && id['_data'] === token['_data'] && Object.keys(id).length === 1) return;
  const found = id === undefined ? '(missing)' : formatValue(id);
  throw new ServerError(
    'ChangeStreamFatalError',
    `Encountered an event whose _id field, which contains the resume token, was modified by the pipeline. Modifying the _id field of an event makes it impossible to resume the stream from that point. Only transformations that retain the unmodified _id field are allowed. Expected: ${formatValue({ _id: token })} but found: ${isDoc(id) ? formatValue({ _id: id }) : found}`,
  );
}
