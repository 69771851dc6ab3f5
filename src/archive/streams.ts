import { Readable, type Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';

async function* through(source: AsyncIterable<Uint8Array>, transform: Transform): AsyncGenerator<Uint8Array> {
  const feeding = pipeline(Readable.from(source, { objectMode: false }), transform);
  // The error is thrown by the iteration below.
  feeding.catch(() => undefined);
  for await (const chunk of transform) yield chunk as Uint8Array;
  await feeding;
}

export const compressed = (source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> =>
  through(source, createGzip());

export const decompressed = (source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> =>
  through(source, createGunzip());

/** Passes each chunk to `see` on its way. */
export async function* observed(
  source: AsyncIterable<Uint8Array>,
  see: (chunk: Uint8Array) => void,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) {
    see(chunk);
    yield chunk;
  }
}

const CHUNK = 64 * 1024;

/** Ends each line with a line break, and joins them to larger chunks. */
export async function* joined(lines: AsyncIterable<string>): AsyncGenerator<Uint8Array> {
  let parts: string[] = [];
  let length = 0;
  for await (const line of lines) {
    parts.push(line, '\n');
    length += line.length;
    if (length < CHUNK) continue;
    yield Buffer.from(parts.join(''));
    parts = [];
    length = 0;
  }
  if (parts.length > 0) yield Buffer.from(parts.join(''));
}

const LINE_BREAK = 0x0a;

/** Splits text into lines, each of which must end with a line break. */
export async function* linesOf(source: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  let parts: Uint8Array[] = [];
  for await (const chunk of source) {
    let begin = 0;
    for (let end = chunk.indexOf(LINE_BREAK); end !== -1; end = chunk.indexOf(LINE_BREAK, begin)) {
      const line = Buffer.concat([...parts, chunk.subarray(begin, end)]).toString('utf8');
      parts = [];
      begin = end + 1;
      yield line;
    }
    if (begin < chunk.length) parts.push(chunk.subarray(begin));
  }
  if (parts.length > 0) throw new Error('the file ends within a line');
}
