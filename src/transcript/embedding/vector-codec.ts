import { mongo } from 'mongoose';

/** The class that Mongoose casts in updates; an import of bson in an ES module is another class of the same name. */
const { Binary } = mongo;
type Binary = mongo.Binary;

const FLOAT_BYTES = 4;
const isLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** A stored vector is not what its row says that it is. */
export class VectorFormatError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'VectorFormatError';
  }
}

/** The vector as it is stored: 4 bytes a dimension, little-endian IEEE 754, BSON binary of subtype 0. The bytes are a copy. */
export function encodeVector(vector: Float32Array): Binary {
  const bytes = Buffer.allocUnsafe(vector.length * FLOAT_BYTES);
  if (isLittleEndian) bytes.set(new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength));
  else vector.forEach((value, i) => bytes.writeFloatLE(value, i * FLOAT_BYTES));
  return new Binary(bytes, Binary.SUBTYPE_DEFAULT);
}

/**
 * The vector that was stored; takes what drivers answer with, a Binary or its bytes. The numbers are a copy.
 * @throws VectorFormatError when it has not `dimensions` numbers, or one of them is not finite
 */
export function decodeVector(stored: Binary | Uint8Array, dimensions: number): Float32Array {
  const bytes = stored instanceof Uint8Array ? stored : stored.buffer.subarray(0, stored.position);
  if (bytes.length !== dimensions * FLOAT_BYTES)
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
    throw new VectorFormatError('A stored vector has a number that is not finite.');
  return vector;
}
