import { ServerError } from '../values/errors.js';
import { crc32c } from './checksum.js';

/** Maximum message size that is accepted and announced, bytes. */
export const maxMessageBytes = 48_000_000;

const opReply = 1;
const opQuery = 2004;
const opMsg = 2013;
const headerBytes = 16;

const flagChecksumPresent = 1;
const flagMoreToCome = 2;
const flagExhaustAllowed = 1 << 16;
const requiredFlags = 0xffff;

/** One request extracted from the byte stream, not decoded yet. */
export interface WireRequest {
  requestId: number;
  /** `legacy`: an OP_QUERY, used only for the handshake. Its reply is an OP_REPLY. */
  kind: 'message' | 'legacy';
  /** The database of a legacy request. For OP_MSG it is `$db` in the body. */
  legacyDb?: string;
  /** The command document as BSON. */
  body: Uint8Array;
  /** Documents sent outside the body (kind 1 sections), by the name of the field that they replace. */
  sequences: Map<string, Uint8Array[]>;
  /** The client expects no reply. */
  moreToCome: boolean;
  /** The client accepts a stream of replies to this request. */
  exhaustAllowed: boolean;
  /** Size of the whole message in bytes. */
  size: number;
}

const protocolError = (message: string): ServerError => new ServerError('ProtocolError', message);

/**
 * Splits a byte stream into messages. Chunks are joined once per message, so that a large message in many
 * chunks is copied only once.
 */
export class FrameReader {
  private chunks: Buffer[] = [];
  private buffered = 0;

  push(chunk: Buffer): void {
    this.chunks.push(chunk);
    this.buffered += chunk.length;
  }

  /**
   * Returns the next complete message, or undefined until more bytes arrive. Throws ProtocolError for an
   * invalid length.
   */
  next(): Buffer | undefined {
    if (this.buffered < headerBytes) return undefined;
    if (this.chunks[0]!.length < 4) this.chunks = [Buffer.concat(this.chunks)];
    const first = this.chunks[0]!;
    const length = first.readInt32LE(0);
    if (length < headerBytes || length > maxMessageBytes) {
      throw protocolError(`message length ${length} is not between ${headerBytes} and ${maxMessageBytes}`);
    }
    if (this.buffered < length) return undefined;
    this.buffered -= length;
    if (first.length > length) {
      this.chunks[0] = first.subarray(length);
      return first.subarray(0, length);
    }
    return first.length === length ? this.chunks.shift()! : this.join(length);
  }

  private join(length: number): Buffer {
    const message = Buffer.allocUnsafe(length);
    let filled = 0;
    let used = 0;
    while (filled < length) {
      const chunk = this.chunks[used]!;
      const wanted = length - filled;
      chunk.copy(message, filled, 0, wanted);
      if (chunk.length > wanted) {
        this.chunks[used] = chunk.subarray(wanted);
        filled = length;
      } else {
        filled += chunk.length;
        used += 1;
      }
    }
    this.chunks.splice(0, used);
    return message;
  }
}

/** Parses a complete message. Throws ProtocolError if it is malformed; the connection must then be closed. */
export function parseMessage(message: Buffer): WireRequest {
  const requestId = message.readInt32LE(4);
  const opCode = message.readInt32LE(12);
  if (opCode === opMsg) return parseOpMsg(message, requestId);
  if (opCode === opQuery) return parseOpQuery(message, requestId);
  throw protocolError(`operation code ${opCode} is not supported`);
}

function parseOpMsg(message: Buffer, requestId: number): WireRequest {
  if (message.length < headerBytes + 9) throw protocolError('OP_MSG is too short');
  const flags = message.readUInt32LE(headerBytes);
  const unknown = flags & requiredFlags & ~(flagChecksumPresent | flagMoreToCome);
  if (unknown !== 0) throw protocolError(`OP_MSG has unknown flags ${unknown}`);
  let end = message.length;
  if (flags & flagChecksumPresent) {
    end -= 4;
    if (crc32c(message.subarray(0, end)) !== message.readUInt32LE(end)) {
      throw protocolError('the checksum of OP_MSG does not match');
    }
  }
  const sequences = new Map<string, Uint8Array[]>();
  const body = readSections(message, headerBytes + 4, end, sequences);
  return {
    requestId,
    kind: 'message',
    body,
    sequences,
    moreToCome: (flags & flagMoreToCome) !== 0,
    exhaustAllowed: (flags & flagExhaustAllowed) !== 0,
    size: message.length,
  };
}

function readSections(
  message: Buffer,
  start: number,
  end: number,
  sequences: Map<string, Uint8Array[]>,
): Buffer {
  let body: Buffer | undefined;
  let at = start;
  while (at < end) {
    const kind = message[at];
    at += 1;
    if (kind === 0) {
      if (body) throw protocolError('OP_MSG has two bodies');
      body = documentAt(message, at, end);
      at += body.length;
    } else if (kind === 1) {
      at = readSequence(message, at, end, sequences);
    } else {
      throw protocolError(`OP_MSG has a section of unknown kind ${kind ?? 'none'}`);
    }
  }
  if (!body) throw protocolError('OP_MSG has no body');
  return body;
}

function readSequence(
  message: Buffer,
  start: number,
  end: number,
  sequences: Map<string, Uint8Array[]>,
): number {
  if (start + 5 > end) throw protocolError('a document sequence is truncated');
  const sectionEnd = start + message.readInt32LE(start);
  const nameEnd = message.indexOf(0, start + 4);
  if (sectionEnd > end || nameEnd < 0 || nameEnd >= sectionEnd) {
    throw protocolError('a document sequence has a wrong length');
  }
  const name = message.toString('utf8', start + 4, nameEnd);
  if (sequences.has(name)) throw protocolError(`OP_MSG has two sequences named ${name}`);
  const documents: Uint8Array[] = [];
  let at = nameEnd + 1;
  while (at < sectionEnd) {
    const document = documentAt(message, at, sectionEnd);
    documents.push(document);
    at += document.length;
  }
  sequences.set(name, documents);
  return sectionEnd;
}

function documentAt(message: Buffer, at: number, end: number): Buffer {
  const length = at + 5 <= end ? message.readInt32LE(at) : -1;
  if (length < 5 || at + length > end || message[at + length - 1] !== 0) {
    throw protocolError('a document has a wrong length');
  }
  return message.subarray(at, at + length);
}

function parseOpQuery(message: Buffer, requestId: number): WireRequest {
  const nameEnd = message.indexOf(0, headerBytes + 4);
  if (nameEnd < 0) throw protocolError('OP_QUERY has no collection name');
  const name = message.toString('utf8', headerBytes + 4, nameEnd);
  if (!name.endsWith('.$cmd')) throw protocolError('OP_QUERY is supported only for the handshake');
  return {
    requestId,
    kind: 'legacy',
    legacyDb: name.slice(0, -'.$cmd'.length),
    body: documentAt(message, nameEnd + 9, message.length),
    sequences: new Map(),
    moreToCome: false,
    exhaustAllowed: false,
    size: message.length,
  };
}

/** Bytes to reserve before the reply document, so that it can be framed in place. */
export const replyPrefixBytes = (kind: WireRequest['kind']): number =>
  headerBytes + (kind === 'legacy' ? 20 : 5);

let nextRequestId = 1;

/** Header fields of a reply. */
export interface ReplyHeader {
  responseTo: number;
  /** Another reply follows without another request. */
  moreToCome?: boolean;
}

/**
 * Writes the header before a reply document that starts at `replyPrefixBytes(kind)` of `message`. Returns the
 * id of the reply, to which the next reply of a stream responds.
 */
export function frameReply(
  message: Buffer,
  kind: WireRequest['kind'],
  { responseTo, moreToCome = false }: ReplyHeader,
): number {
  const requestId = nextRequestId;
  nextRequestId = (nextRequestId + 1) & 0x7fffffff;
  message.writeInt32LE(message.length, 0);
  message.writeInt32LE(requestId, 4);
  message.writeInt32LE(responseTo, 8);
  if (kind === 'legacy') {
    message.writeInt32LE(opReply, 12);
    message.writeInt32LE(8, 16);
    message.fill(0, 20, 32);
    message.writeInt32LE(1, 32);
  } else {
    message.writeInt32LE(opMsg, 12);
    message.writeUInt32LE(moreToCome ? flagMoreToCome : 0, 16);
    message[20] = 0;
  }
  return requestId;
}
