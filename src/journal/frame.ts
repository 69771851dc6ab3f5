// The bytes of a segment: frames one after another, then perhaps space for more: zeros, or the frames of the segment whose file this was
// before. `group` is the offset of the first frame that was written together with this one: of the group that a power cut caught any part
// may be on disk. No header of the file, whose loss would cost the whole of it.
// A frame: marker u32 | crc32 u32 | length u32 | group u32 | time f64 | the record's bytes, little endian. The marker and the seed of the CRC come
// from the segment's name: neither bytes of another segment nor a record that looks like a frame pass for a frame of this one.
import { crc32 } from 'node:zlib';

export const FRAME_HEADER_BYTES = 24;

/** No record is longer, bytes: a length beyond it is damage. */
export const MAX_RECORD_BYTES = 16 * 1024 * 1024;

export interface Frame {
  /** Where the frame begins in the segment, bytes. */
  offset: number;
  /** Where the next one begins. */
  end: number;
  /** Where the first frame of its group begins. */
  group: number;
  /** When it was appended, milliseconds of the wall clock. */
  time: number;
  record: Buffer;
}

/** `[from, to)` of a segment in which no frame can be read, bytes. */
export type Gap = readonly [from: number, to: number];

export interface SegmentScan {
  records: number;
  /** Bytes of the records, without their headers. */
  bytes: number;
  /** Unreadable stretches with readable frames after them. */
  gaps: Gap[];
  /** End of the last readable frame. What follows is torn or damaged, or space that was not written to since it became this segment's. */
  end: number;
  /** Where the group of the last readable frame begins. */
  lastGroup: number;
  /** Bytes from `end` on that begin like a frame and are none. */
  torn: number;
  /** Time of the first readable record. */
  firstTime: number | undefined;
}

/** Never 0, which the zeros of prepared space would begin with. */
export const saltOf = (segmentId: string): number => crc32(segmentId) || 1;

export const frameBytes = (record: Uint8Array): number => FRAME_HEADER_BYTES + record.length;

/** Writes a frame into `target` at `at`; answers where the next one begins. */
export function writeFrame(
  target: Buffer,
  at: number,
  { record, time, group }: Pick<Frame, 'time' | 'group'> & { record: Uint8Array },
  salt: number,
): number {
  const end = at + frameBytes(record);
  target.writeUInt32LE(salt, at);
  target.writeUInt32LE(record.length, at + 8);
  target.writeUInt32LE(group, at + 12);
  target.writeDoubleLE(time, at + 16);
  target.set(record, at + FRAME_HEADER_BYTES);
  target.writeUInt32LE(crc32(target.subarray(at + 8, end), salt), at + 4);
  return end;
}

/**
 * The frame that begins at `at` of `source`. `bad`: there is none. A number: `source` ends before the frame would, which would need
 * that many bytes from `at`; at the end of the file that is damage too.
 */
export function readFrame(source: Buffer, at: number, salt: number): Omit<Frame, 'offset'> | number | 'bad' {
  if (source.length - at < FRAME_HEADER_BYTES) return FRAME_HEADER_BYTES;
  if (source.readUInt32LE(at) !== salt) return 'bad';
  const length = source.readUInt32LE(at + 8);
  if (length > MAX_RECORD_BYTES) return 'bad';
  const end = at + FRAME_HEADER_BYTES + length;
  if (end > source.length) return FRAME_HEADER_BYTES + length;
  if (crc32(source.subarray(at + 8, end), salt) !== source.readUInt32LE(at + 4)) return 'bad';
  return {
    end,
    group: source.readUInt32LE(at + 12),
    time: source.readDoubleLE(at + 16),
    record: source.subarray(at + FRAME_HEADER_BYTES, end),
  };
}

/** Reads a whole segment from `from` on; after an unreadable stretch it looks for the next marker that begins a sound frame. */
export function scanFrames(segment: Buffer, salt: number, from = 0): SegmentScan {
  const marker = Buffer.alloc(4);
  marker.writeUInt32LE(salt);
  const scan: SegmentScan = {
    records: 0,
    bytes: 0,
    gaps: [],
    end: from,
    lastGroup: from,
    torn: 0,
    firstTime: undefined,
  };
  let tornEnd = from;
  for (let at = from; at >= 0 && at < segment.length;) {
    const frame = readFrame(segment, at, salt);
    if (typeof frame !== 'object') {
      tornEnd = Math.max(tornEnd, endOfTorn(segment, at, salt));
      at = segment.indexOf(marker, at + 1);
      continue;
    }
    if (at > scan.end) scan.gaps.push([scan.end, at]);
    scan.records += 1;
    scan.bytes += frame.record.length;
    scan.firstTime ??= frame.time;
    scan.lastGroup = frame.group;
    scan.end = at = frame.end;
  }
  scan.torn = Math.max(0, tornEnd - scan.end);
  return scan;
}

/** Where the frame would end whose begin, and no more, is at `at`; 0 when that is not the begin of a frame. */
function endOfTorn(segment: Buffer, at: number, salt: number): number {
  const left = segment.length - at;
  if (left < 4 || segment.readUInt32LE(at) !== salt) return 0;
  if (left < FRAME_HEADER_BYTES) return segment.length;
  const length = segment.readUInt32LE(at + 8);
  return length > MAX_RECORD_BYTES ? 0 : Math.min(segment.length, at + FRAME_HEADER_BYTES + length);
}
