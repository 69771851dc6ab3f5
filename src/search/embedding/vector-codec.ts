import { mongo } from 'mongoose';

/**
 * The class that Mongoose casts in updates. An import of bson in an ES module would be a different class of
 * the same name.
 */
const { Binary } = mongo;
type Binary = mongo.Binary;

const FLOAT_BYTES = 4;
const isLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** A stored vector does not have the expected format. */
export class VectorFormatError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'VectorFormatError';
  }
}

/** Header of a BSON vector: float32 elements, no padding bits. */
const HEADER = [Binary.VECTOR_TYPE.Float32, 0] as const;

/**
 * Encodes a vector for storage as a BSON vector (binary subtype 9) of float32, which the server's vector
 * indexes can read: a header of 2 bytes, then 4 bytes per dimension, little-endian IEEE 754. The bytes are a
 * copy.
 */
export function encodeVector(vector: Float32Array): Binary {
  const bytes = Buffer.allocUnsafe(HEADER.length + vector.length * FLOAT_BYTES);
  bytes.set(HEADER);
  if (isLittleEndian)
    bytes.set(new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength), HEADER.length);
  else vector.forEach((value, i) => bytes.writeFloatLE(value, HEADER.length + i * FLOAT_BYTES));
  return new Binary(bytes, Binary.SUBTYPE_VECTOR);
}

const bytesOf = (stored: Binary | Uint8Array): Uint8Array =>
  stored instanceof Uint8Array ? stored : stored.buffer.subarray(0, stored.position);

/** Length of the header in bytes. Rows in the older form (subtype 0) have none. */
const headerBytes = (bytes: Uint8Array): number =>
  bytes.length % FLOAT_BYTES === HEADER.length && HEADER.every((byte, i) => bytes[i] === byte)
    ? HEADER.length
    : 0;

/** Returns the number of dimensions of a stored vector. */
export function dimensionsOf(stored: Binary | Uint8Array): number {
  const bytes = bytesOf(stored);
  return (bytes.length - headerBytes(bytes)) / FLOAT_BYTES;
}

/**
 * Decodes a stored vector, either a BSON vector or the older form without a header. Accepts what drivers
 * return: a Binary or its bytes. The numbers are a copy.
 * @throws VectorFormatError if it does not have `dimensions` numbers, or one of them is not finite
 */
export function decodeVector(stored: Binary | Uint8Array, dimensions: number): Float32Array {
  const whole = bytesOf(stored);
  const bytes = whole.subarray(headerBytes(whole));
  if (!Number.isInteger(dimensions) || bytes.length !== dimensions * FLOAT_BYTES)
    throw new VectorFormatError(
      `A stored vector has ${bytes.length} bytes, not the ${dimensions * FLOAT_BYTES} of ${dimensions} dimensions.`,
    );
  const vector = new Float32Array(dimensions);
  if (isLittleEndian) new Uint8Array(vector.buffer).set(bytes);
  else {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let i = 0; i < dimensions; i++) vector[i] = view.getFloat32(i * FLOAT_BYTES, true);
  }
  if (!vector.every(Number.isFinite))
    throw new VectorFormatError('A stored vector contains a number that is not finite.');
  return vector;
}
