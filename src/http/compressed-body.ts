import { type Readable, Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { errorCodes, type FastifyInstance } from 'fastify';
import { ProblemError } from './problem.js';

const decoders = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
} as const;

const isDecoder = (name: string): name is keyof typeof decoders => Object.hasOwn(decoders, name);

const unsupported = (): ProblemError =>
  new ProblemError({
    status: 415,
    code: 'unsupported_encoding',
    title: 'The encoding of the body is not supported',
    detail: 'Send the body with "Content-Encoding: gzip", "br" or "deflate", or without compression.',
  });

const invalidCompression = (cause: unknown): ProblemError =>
  new ProblemError(
    {
      status: 400,
      code: 'invalid_compression',
      title: 'The body cannot be decompressed',
      detail: 'The request body is not what its Content-Encoding says, or it is incomplete.',
    },
    { cause },
  );

/** The decompressed body. Decompression stops when there are more than `limit` bytes of it. */
function decompressed(body: Readable, encoding: keyof typeof decoders, limit: number): Transform {
  const decoder = decoders[encoding]();
  let length = 0;
  const output = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      length += chunk.length;
      if (length > limit) done(new errorCodes.FST_ERR_CTP_BODY_TOO_LARGE());
      else done(null, chunk);
    },
  });
  // Fastify compares it with Content-Length.
  Object.defineProperty(output, 'receivedEncodedLength', { get: () => decoder.bytesWritten });
  output.once('close', () => {
    // The rest of the body is dropped: the connection is still needed for the response.
    body.unpipe(decoder);
    body.resume();
    decoder.destroy();
  });
  decoder.once('error', (error) => output.destroy(invalidCompression(error)));
  body.once('error', (error) => output.destroy(error));
  body.pipe(decoder).pipe(output);
  return output;
}

/**
 * Decompresses request bodies, so that their parsers read plain ones. `limit` is the maximum size of a body
 * after decompression.
 */
export function decompressBodies(fastify: FastifyInstance, limit: number): void {
  fastify.addHook('preParsing', (request, _reply, body, done) => {
    const encoding = request.headers['content-encoding']?.trim().toLowerCase() ?? 'identity';
    if (encoding === 'identity') done(null, body);
    else if (isDecoder(encoding)) done(null, decompressed(body, encoding, limit));
    else done(unsupported());
  });
}
