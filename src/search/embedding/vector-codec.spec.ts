import { Binary, deserialize, serialize } from 'bson';
import { decodeVector, dimensionsOf, encodeVector, VectorFormatError } from './vector-codec.js';

describe('encodeVector and decodeVector', () => {
  it('store a BSON vector of float32, identical to that of the bson library', () => {
    const binary = encodeVector(Float32Array.of(1, -2));
    expect(binary.sub_type).toBe(9);
    expect(Buffer.from(binary.value()).toString('hex')).toBe('27000000803f000000c0');
    expect(binary.toFloat32Array()).toEqual(Float32Array.of(1, -2));
    expect(encodeVector(Float32Array.of(1, -2))).toEqual(Binary.fromFloat32Array(Float32Array.of(1, -2)));
  });

  it('read the older form, floats of subtype 0, even if they begin like the header of a vector', () => {
    const vector = Float32Array.of(1, -2);
    vector.set(new Float32Array(Uint8Array.of(0x27, 0, 1, 2).buffer));
    const old = new Binary(Buffer.from(vector.buffer), 0);
    expect(dimensionsOf(old)).toBe(2);
    expect(decodeVector(old, 2)).toEqual(vector);
    expect(dimensionsOf(encodeVector(vector))).toBe(2);
  });

  it('reject bytes that are not a whole number of floats', () => {
    const torn = Buffer.from('0000803f0000', 'hex');
    expect(() => decodeVector(torn, dimensionsOf(torn))).toThrow(VectorFormatError);
  });

  it('round-trip each number through BSON, as Binary and as bytes', () => {
    const vector = Float32Array.of(0.1, -0, 3e-39, 1.5, -7e20);
    const bytes = serialize({ vector: encodeVector(vector) });
    expect(decodeVector(deserialize(bytes)['vector'] as Binary, 5)).toEqual(vector);
    const promoted = deserialize(bytes, { promoteBuffers: true })['vector'] as Uint8Array;
    expect(promoted).toBeInstanceOf(Uint8Array);
    expect(decodeVector(promoted, 5)).toEqual(vector);
  });

  it('encode a view of a larger matrix, as a copy', () => {
    const matrix = Float32Array.of(1, 2, 3, 4);
    const binary = encodeVector(matrix.subarray(2));
    matrix.fill(0);
    expect(decodeVector(binary, 2)).toEqual(Float32Array.of(3, 4));
  });

  it('decode bytes at any offset', () => {
    const bytes = Buffer.concat([Buffer.from([9]), encodeVector(Float32Array.of(5, 6)).value()]).subarray(1);
    expect(decodeVector(bytes, 2)).toEqual(Float32Array.of(5, 6));
  });

  it('reject another number of dimensions, and numbers that are not finite', () => {
    expect(() => decodeVector(encodeVector(Float32Array.of(1, 2)), 3)).toThrow(VectorFormatError);
    expect(() => decodeVector(encodeVector(Float32Array.of(1, NaN)), 2)).toThrow(VectorFormatError);
  });
});
