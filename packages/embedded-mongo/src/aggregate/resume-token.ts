import { AFTER_ALL, comparePositions, type LogPosition } from '../engine/change-log.js';
import type { ClusterTime } from '../engine/cluster-clock.js';
import { formatDoc, isDoc, type Doc } from '../values/bson.js';
import { ServerError } from '../values/errors.js';

/**
 * What a token refers to, in the order in which these occur at one time: an event, the end of the stream
 * caused by the event, or the position after it.
 */
export type TokenKind = 'event' | 'invalidate' | 'mark';

export interface StreamPosition extends LogPosition {
  readonly kind: TokenKind;
  /** Fragment number of a split event, starting at 0. */
  readonly fragment?: number;
}

const kinds: readonly TokenKind[] = ['event', 'invalidate', 'mark'];
const prefix = '82';
const shape = /^82([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})0([0-2])([0-9A-F]{2})?$/i;

/** The position after all changes up to `time`. */
export const markAt = ({ t, i }: ClusterTime): StreamPosition => ({ t, i, index: AFTER_ALL, kind: 'mark' });

export const compareTokens = (a: StreamPosition, b: StreamPosition): number =>
  comparePositions(a, b) ||
  kinds.indexOf(a.kind) - kinds.indexOf(b.kind) ||
  (a.fragment ?? -1) - (b.fragment ?? -1);

const hex = (value: number, digits = 8): string => value.toString(16).toUpperCase().padStart(digits, '0');

/** Encodes a resume token. Its text sorts in the order of positions. */
export const tokenOf = ({ t, i, index, kind, fragment }: StreamPosition): Doc => ({
  _data: `${prefix}${hex(t)}${hex(i)}${hex(index)}0${kinds.indexOf(kind)}${fragment === undefined ? '' : hex(fragment, 2)}`,
});

/** Decodes a resume token. Throws if this server cannot have created it. */
export function parseToken(token: Doc): StreamPosition {
  const data = isDoc(token) ? token['_data'] : undefined;
  if (typeof data !== 'string') {
    throw new ServerError(40647, `Bad resume token: _data of missing or of wrong type: ${formatDoc(token)}`);
  }
  if (data.length === 0) throw new ServerError(40649, 'Invalid resume token: the string is empty');
  if (data.length % 2 !== 0 || !/^[0-9a-f]+$/i.test(data)) {
    throw new ServerError('FailedToParse', 'resume token string was not a valid hex string');
  }
  const match = shape.exec(data);
  if (!match) throw new ServerError(50811, 'KeyString format error: not a resume token of this server');
  const [t, i, index] = match.slice(1, 4).map((part) => parseInt(part, 16));
  const fragment = match[5] === undefined ? undefined : parseInt(match[5], 16);
  const position = { t: t!, i: i!, index: index!, kind: kinds[Number(match[4])]! };
  return fragment === undefined ? position : { ...position, fragment };
}
