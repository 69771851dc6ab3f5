// Reads the journal to which earlier versions wrote accepted transcripts, in order to import what is left of
// it. It is never written.
//
// DIR/<uuid> is the folder of one process. A segment (`.seg`) is a sequence of frames, possibly followed by
// zeros or by frames of the segment whose file was reused. A frame, little endian:
// marker u32 | crc32 u32 | length u32 | group u32 | time f64 | the record.
// Marker and CRC seed are derived from the segment's name. The segment's `.done` file contains the offset up to
// which records are stored: offset f64 | crc32 u32. A folder may contain folders of other processes
// (`adopting-<uuid>`) that its process was taking over.
import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { crc32 } from 'node:zlib';

const HEADER_BYTES = 24;
const MAX_RECORD_BYTES = 16 * 1024 * 1024;
const DONE_BYTES = 12;
const SEGMENT = '.seg';

export interface OldSegment {
  records: Buffer[];
  /** Bytes that look like the start of a record but cannot be read. */
  unreadableBytes: number;
}

/** Paths of the segments in a folder and its subfolders, in the order in which they were written. */
export async function segmentsOf(folder: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true });
  return names
    .filter((name) => name.endsWith(SEGMENT))
    .sort((a, b) => (basename(a) < basename(b) ? -1 : 1))
    .map((name) => join(folder, name));
}

/** Returns the records of a segment that are not marked as done. */
export async function readSegment(path: string): Promise<OldSegment> {
  const salt = crc32(basename(path, SEGMENT)) || 1;
  const bytes = await readFile(path);
  return scan(bytes, salt, await doneOffset(path, salt, bytes.length));
}

async function doneOffset(path: string, salt: number, size: number): Promise<number> {
  let mark: Buffer;
  try {
    mark = await readFile(`${path.slice(0, -SEGMENT.length)}.done`);
  } catch {
    return 0;
  }
  if (mark.length < DONE_BYTES || crc32(mark.subarray(0, 8), salt) !== mark.readUInt32LE(8)) return 0;
  const offset = mark.readDoubleLE(0);
  return offset <= size ? offset : 0;
}

/** Scans for frames. After an unreadable part it continues at the next marker that starts a valid frame. */
function scan(segment: Buffer, salt: number, from: number): OldSegment {
  const marker = Buffer.alloc(4);
  marker.writeUInt32LE(salt);
  const found: OldSegment = { records: [], unreadableBytes: 0 };
  let end = from;
  let tornEnd = from;
  for (let at = from; at >= 0 && at < segment.length;) {
    const frame = frameAt(segment, at, salt);
    if (frame === undefined) {
      at = segment.indexOf(marker, at + 1);
    } else if (typeof frame === 'number') {
      tornEnd = Math.max(tornEnd, Math.min(segment.length, at + frame));
      at = segment.indexOf(marker, at + 1);
    } else {
      found.unreadableBytes += at - end;
      found.records.push(frame);
      end = at = at + HEADER_BYTES + frame.length;
    }
  }
  found.unreadableBytes += Math.max(0, tornEnd - end);
  return found;
}

/**
 * Returns the record of the frame at `at`, or the length of an invalid frame that starts there, or undefined
 * if none does.
 */
function frameAt(segment: Buffer, at: number, salt: number): Buffer | number | undefined {
  if (segment.length - at < HEADER_BYTES) return undefined;
  if (segment.readUInt32LE(at) !== salt) return undefined;
  const length = segment.readUInt32LE(at + 8);
  if (length > MAX_RECORD_BYTES) return HEADER_BYTES;
  const end = at + HEADER_BYTES + length;
  const isSound =
    end <= segment.length && crc32(segment.subarray(at + 8, end), salt) === segment.readUInt32LE(at + 4);
  return isSound ? segment.subarray(at + HEADER_BYTES, end) : HEADER_BYTES + length;
}
