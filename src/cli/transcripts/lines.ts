import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';

/** A line beyond this is not kept; the service takes no body of that size. */
export const MAX_LINE_BYTES = 16 * 1024 * 1024;

const NEWLINE = 0x0a;

export interface Line {
  /** From 1. */
  number: number;
  /** Without the line feed; undefined when it is longer than `MAX_LINE_BYTES`. */
  bytes: Buffer | undefined;
  /** SHA-256 of all its bytes without the line feed, hex. */
  sha256: string;
  /** Where in the file the next line begins, bytes. */
  end: number;
}

/** A line in the making. */
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

/** The lines of a file, from the one after `after` on, holding no more than one of them. */
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

/** Fingerprint of no line at all. */
export const NO_LINES = '';

/** Of the lines so far and one more. */
export const withLine = (fingerprint: string, { sha256 }: Line): string =>
  createHash('sha256').update(fingerprint).update(sha256).digest('hex');

export interface FileScan {
  lines: number;
  /** Where the line after the first `count` begins, bytes, and the fingerprint of these lines; undefined when there are fewer. */
  prefix: { offset: number; fingerprint: string } | undefined;
}

/** Reads a whole file once: how many lines it has, and what its first `count` lines are. */
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
