import { Binary } from 'bson';
import { isDoc, isNumeric, toNumber } from '../values/bson.js';
import type { Value } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import { fail } from './scope.js';

const failed = (reason: string): ServerError => new ServerError('ConversionFailure', reason);

type Format = 'auto' | 'base64' | 'base64url' | 'hex' | 'utf8' | 'uuid';
const formats: ReadonlySet<string> = new Set<Format>(['auto', 'base64', 'base64url', 'hex', 'utf8', 'uuid']);
const UUID_SUBTYPE = 4;

const uuidPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const patterns: Partial<Record<Format, RegExp>> = {
  base64: /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/,
  base64url: /^[A-Za-z0-9_-]*$/,
  hex: /^(?:[0-9A-Fa-f]{2})*$/,
  uuid: uuidPattern,
};

export const uuidText = (bytes: Uint8Array): string =>
  Buffer.from(bytes)
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');

/** The `format` of a conversion between text and binary data. */
export const formatOf = (value: Value): Format => {
  if (typeof value !== 'string')
    throw fail(4341114, `$convert requires that 'format' be a string, found: ${String(value)}`);
  if (!formats.has(value)) throw fail(4341125, `Invalid 'format' argument for $convert: ${value}`);
  return value as Format;
};

/** The subtype in `to: { type, subtype }`, by default 0. */
export const subtypeOf = (to: Value): number => {
  const subtype = isDoc(to) ? to['subtype'] : undefined;
  if (subtype === undefined) return 0;
  const number = isNumeric(subtype) ? toNumber(subtype) : NaN;
  if (!Number.isInteger(number) || number < 0 || number > 255)
    throw fail(4341107, `In $convert, numeric value for 'subtype' does not correspond to a BinData type`);
  return number;
};

/** Converts text to binary data. Throws ConversionFailure (241) if the text does not match the format. */
export const binaryOfText = (text: string, format: Format, subtype: number): Binary => {
  const used = format === 'auto' ? (subtype === UUID_SUBTYPE ? 'uuid' : 'base64') : format;
  const wrong = failed(`Input '${text}' is not a valid ${used} string.`);
  if (patterns[used]?.test(text) === false) throw wrong;
  if ((used === 'uuid') !== (subtype === UUID_SUBTYPE))
    throw failed(
      used === 'uuid'
        ? `Can only convert to binData subtype ${UUID_SUBTYPE} with the 'uuid' format`
        : `Can only use the 'uuid' format with binData subtype ${UUID_SUBTYPE}`,
    );
  if (used === 'uuid') return new Binary(Buffer.from(text.replaceAll('-', ''), 'hex'), UUID_SUBTYPE);
  return new Binary(Buffer.from(text, used as BufferEncoding), subtype);
};

/** Converts binary data to text. */
export const textOfBinary = (binary: Binary, format: Format): string => {
  const bytes = Buffer.from(binary.buffer.subarray(0, binary.position));
  const isUuid = binary.sub_type === UUID_SUBTYPE && bytes.length === 16;
  const used = format === 'auto' ? (isUuid ? 'uuid' : 'base64') : format;
  switch (used) {
    case 'uuid':
      if (!isUuid) throw failed(`The uuid format requires binData of subtype ${UUID_SUBTYPE}`);
      return uuidText(bytes);
    case 'hex':
      return bytes.toString('hex').toUpperCase();
    case 'utf8': {
      const text = bytes.toString('utf8');
      if (!Buffer.from(text, 'utf8').equals(bytes)) throw failed('BinData is not valid UTF-8');
      return text;
    }
    default:
      return bytes.toString(used);
  }
};
