import { Timestamp } from 'bson';
import type { ClusterClock, ClusterTime } from '../engine/cluster-clock.js';
import { isDoc, type Value } from '../values/bson.js';
import { ServerError } from '../values/errors.js';

/** How far ahead of the wall clock a client may set the cluster time, seconds. */
const maxDriftSeconds = 365 * 24 * 60 * 60;
const timestampAt = 4 + 1 + 'clusterTime'.length + 1;

/**
 * The BSON of `{ clusterTime, signature: { hash, keyId: 0 } }` as signed by a server without authentication.
 */
function unsigned(): Buffer {
  const name = (text: string): Buffer => Buffer.from(`${text}\0`, 'latin1');
  const length = (bytes: number): Buffer => {
    const field = Buffer.alloc(4);
    field.writeInt32LE(bytes);
    return field;
  };
  const hash = Buffer.concat([Buffer.from([0x05]), name('hash'), length(20), Buffer.alloc(21)]);
  const keyId = Buffer.concat([Buffer.from([0x12]), name('keyId'), Buffer.alloc(8)]);
  const signature = Buffer.concat([length(4 + hash.length + keyId.length + 1), hash, keyId, Buffer.alloc(1)]);
  const fields = Buffer.concat([
    Buffer.from([0x11]),
    name('clusterTime'),
    Buffer.alloc(8),
    Buffer.from([0x03]),
    name('signature'),
    signature,
  ]);
  return Buffer.concat([length(4 + fields.length + 1), fields, Buffer.alloc(1)]);
}

/** Adds the cluster time to replies and advances it from requests. */
export class ClusterGossip {
  private readonly bytes = unsigned();

  constructor(
    private readonly clock: ClusterClock,
    private readonly now: () => number,
  ) {}

  get latest(): Timestamp {
    return new Timestamp(this.clock.time);
  }

  /** The bytes of a reply's `$clusterTime`. They are valid until the next call. */
  signed({ t, i }: ClusterTime): Uint8Array {
    this.bytes.writeUInt32LE(i, timestampAt);
    this.bytes.writeUInt32LE(t, timestampAt + 4);
    return this.bytes;
  }

  /** Processes a request's `$clusterTime`. Throws if it is malformed or too far ahead of the wall clock. */
  receive(clusterTime: Value): void {
    const time = isDoc(clusterTime) ? clusterTime['clusterTime'] : undefined;
    if (!(time instanceof Timestamp)) {
      throw new ServerError('FailedToParse', "$clusterTime must be an object with a timestamp 'clusterTime'");
    }
    const wall = Math.floor(this.now() / 1000);
    if (time.t > wall + maxDriftSeconds) {
      throw new ServerError(
        209,
        `New cluster time, ${time.t}, is too far from this node's wall clock time, ${wall}.`,
        { codeName: 'ClusterTimeFailsRateLimiter' },
      );
    }
    this.clock.advanceTo(time);
  }
}

/** Negative if `a` is earlier than `b`. */
export const compareTimes = (a: Timestamp, b: Timestamp): number => a.t - b.t || a.i - b.i;

export const timeText = (time: Timestamp): string => `Timestamp(${time.t}, ${time.i})`;
