import { type Readable, Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { errorCodes, type FastifyInstance, type FastifyRequest } from 'fastify';
import { asError } from '../common/index.js';
import { contextOf } from '../logging/index.js';
import { BodyBudget } from './body-budget.js';
import { ProblemError } from './problem.js';

/** Bytes of request bodies in progress, for each tenant. */
const BODY_BUDGET = 128 * 1024 * 1024;
/** Bodies that announce up to this size, in bytes, are not counted. */
const SMALL = 64 * 1024;

const RECEIVED = Symbol('size of the body that was received');

type WithSize = Pick<FastifyRequest, 'headers'> & { [RECEIVED]?: number };

/** Whether a request has a body; Node.js has checked that it has no more than its headers say. */
export const hasBody = ({ headers }: Pick<FastifyRequest, 'headers'>): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;

/** Returns the size of a request's body after decompression, in bytes. The body must have been read. */
export const bodyBytesOf = (request: WithSize): number =>
  request[RECEIVED] ?? Number(request.headers['content-length'] ?? 0);

const decoders = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
} as const;

type Encoding = keyof typeof decoders | 'identity';

const isEncoding = (name: string): name is Encoding => name === 'identity' || Object.hasOwn(decoders, name);

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

/**
 * Returns the body, decompressed if it has an encoding. Calls `count` with the size of each part of it, in bytes,
 * before the part is read; an error that this throws ends the body.
 */
function counted(body: Readable, encoding: Encoding, count: (bytes: number) => void): Transform {
  const decoder = encoding === 'identity' ? undefined : decoders[encoding]();
  let receivedBytes = 0;
  const output = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      receivedBytes += chunk.length;
      try {
        count(chunk.length);
      } catch (error) {
        done(asError(error));
        return;
      }
      done(null, chunk);
    },
  });
  // Fastify compares it with Content-Length.
  Object.defineProperty(output, 'receivedEncodedLength', {
    get: () => decoder?.bytesWritten ?? receivedBytes,
  });
  output.once('close', () => {
    // The rest of the body is dropped: the connection is still needed for the response.
    body.unpipe();
    body.resume();
    decoder?.destroy();
  });
  // Fastify does not listen if it refuses the request before it reads the body.
  output.on('error', () => undefined);
  decoder?.once('error', (error) => output.destroy(invalidCompression(error)));
  body.once('error', (error) => output.destroy(error));
  if (decoder) body.pipe(decoder).pipe(output);
  else body.pipe(output);
  return output;
}

/**
 * Decompresses request bodies, so that their parsers read plain ones, and limits the memory that those of one
 * tenant take. `limit` is the maximum size of a body after decompression.
 */
export function receiveBodies(fastify: FastifyInstance, limit: number): void {
  const budget = new BodyBudget(BODY_BUDGET);
  fastify.addHook('preParsing', (request: FastifyRequest & WithSize, reply, body, done) => {
    const encoding = request.headers['content-encoding']?.trim().toLowerCase() ?? 'identity';
    if (!isEncoding(encoding)) {
      done(unsupported());
      return;
    }
    const announced = request.headers['content-length'];
    if (!hasBody(request) || (encoding === 'identity' && Number(announced) <= SMALL)) {
      done(null, body);
      return;
    }
    const tenantId = contextOf(request)?.tenantId;
    const hold = tenantId === undefined ? undefined : budget.open(tenantId, reply.raw);
    if (encoding === 'identity' && announced !== undefined) {
      try {
        hold?.(Number(announced));
      } catch (error) {
        done(asError(error));
        return;
      }
      done(null, body);
      return;
    }
    request[RECEIVED] = 0;
    const count = (bytes: number): void => {
      const received = (request[RECEIVED] ?? 0) + bytes;
      request[RECEIVED] = received;
      if (received > limit) throw new errorCodes.FST_ERR_CTP_BODY_TOO_LARGE();
      hold?.(bytes);
    };
    done(null, counted(body, encoding, count));
  });
}
