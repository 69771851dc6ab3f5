// The bytes of a segment: frames one after another and nothing else, so that there is no header whose loss would cost the whole file.
// A frame: marker u32 | crc32 u32 | length u32 | time f64 | the record's bytes, little endian. The marker and the seed of the CRC come
// from the segment's name: neither bytes of another segment nor a record that looks like a frame pass for a frame of this one.
import { crc32 } from 'node:zlib';

export const FRAME_HEADER_BYTES = 20;

/** No record is longer, bytes: a length beyond it is damage. */
export const MAX_RECORD_BYTES = 16 * 1024 * 1024;

export interface Frame {
  /** Where the frame begins in the segment, bytes. */
  offset: number;
  /** Where the next one begins. */
  end: number;
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
  /** End of the last readable frame; what follows up to the end of the file is torn or damaged. */
  end: number;
  /** Time of the first readable record. */
  firstTime: number | undefined;
}

export const saltOf = (segmentId: string): number => crc32(segmentId);

export const frameBytes = (record: Uint8Array): number => FRAME_HEADER_BYTES + record.length;

/** Writes the frame of `record` into `target` at `at`; answers where the next one begins. */
export function writeFrame(
  target: Buffer,
  at: number,
  record: Uint8Array,
  time: number,
  salt: number,
): number {
  const end = at + frameBytes(record);
  target.writeUInt32LE(salt, at);
  target.writeUInt32LE(record.length, at + 8);
  target.writeDoubleLE(time, at + 12);
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
  return { end, time: source.readDoubleLE(at + 12), record: source.subarray(at + FRAME_HEADER_BYTES, end) };
}

/** Reads a whole segment from `from` on; after an unreadable stretch it looks for the next marker that begins a sound frame. */
export function scanFrames(segment: Buffer, salt: number, from = 0): SegmentScan {
  const marker = Buffer.alloc(4);
  marker.writeUInt32LE(salt);
  const scan: SegmentScan = { records: 0, bytes: 0, gaps: [], end: from, firstTime: undefined };
  for (let at = from; at >= 0 && at < segment.length;) {
    const frame = readFrame(segment, at, salt);
    if (typeof frame !== 'object') {
      at = segment.indexOf(marker, at + 1);
      continue;
    }
    if (at > scan.end) scan.gaps.push([scan.end, at]);
    scan.records += 1;
    scan.bytes += frame.record.length;
    scan.firstTime ??= frame.time;
    scan.end = at = frame.end;
  }
  return scan;
}
