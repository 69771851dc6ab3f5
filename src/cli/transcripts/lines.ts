import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';

/** The content of longer lines is omitted; the service does not accept bodies of that size. */
export const MAX_LINE_BYTES = 16 * 1024 * 1024;

const NEWLINE = 0x0a;

export interface Line {
  /** Line number, starting at 1. */
  number: number;
  /** Without the line feed; undefined when it is longer than `MAX_LINE_BYTES`. */
  bytes: Buffer | undefined;
  /** SHA-256 of all bytes of the line without the line feed, in hex. */
  sha256: string;
  /** Offset of the next line in the file, in bytes. */
  end: number;
}

/** Collects the bytes of one line. */
class Collected {
  readonly hash: Hash = createHash('sha256');
  private readonly parts: Buffer[] = [];
  size = 0;

  add(bytes: Buffer, maxBytes: number): void {
    this.hash.update(bytes);
    this.size += bytes.length;
    if (this.size <= maxBytes) this.parts.push(bytes);
    else this.parts.length = 0;
  }

  line(number: number, end: number, maxBytes: number): Line {
    const bytes = this.size <= maxBytes ? Buffer.concat(this.parts) : undefined;
    return { number, bytes, sha256: this.hash.digest('hex'), end };
  }
}

/** Reads the lines of a file, starting after `after`, with no more than one line in memory. */
export async function* readLines(
  path: string,
  after: { lines: number; offset: number } = { lines: 0, offset: 0 },
  maxBytes = MAX_LINE_BYTES,
): AsyncGenerator<Line> {
  let number = after.lines;
  let offset = after.offset;
  let current = new Collected();
  for await (const chunk of createReadStream(path, { start: offset, highWaterMark: 256 * 1024 })) {
    const bytes = chunk as Buffer;
    let from = 0;
    for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, from)) {
      current.add(bytes.subarray(from, at), maxBytes);
      offset += current.size + 1;
      yield current.line(++number, offset, maxBytes);
      current = new Collected();
      from = at + 1;
    }
    current.add(bytes.subarray(from), maxBytes);
  }
  if (current.size > 0) yield current.line(number + 1, offset + current.size, maxBytes);
}

/** The fingerprint of no lines. */
export const NO_LINES = '';

/** Extends the fingerprint of the previous lines by one line. */
export const withLine = (fingerprint: string, { sha256 }: Line): string =>
  createHash('sha256').update(fingerprint).update(sha256).digest('hex');

export interface FileScan {
  lines: number;
  /**
   * The offset in bytes after the first `count` lines, and their fingerprint; undefined when the file has
   * fewer lines.
   */
  prefix: { offset: number; fingerprint: string } | undefined;
}

/** Reads a whole file once, counts its lines, and computes the fingerprint of its first `count` lines. */
export async function scanFile(path: string, count: number): Promise<FileScan> {
  let fingerprint = NO_LINES;
  let offset = 0;
  let lines = 0;
  for await (const line of readLines(path)) {
    lines = line.number;
    if (lines > count) continue;
    fingerprint = withLine(fingerprint, line);
    offset = line.end;
  }
  return { lines, prefix: lines >= count ? { offset, fingerprint } : undefined };
}
