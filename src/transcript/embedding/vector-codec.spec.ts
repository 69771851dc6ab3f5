import { type Binary, deserialize, serialize } from 'bson';
import { decodeVector, encodeVector, VectorFormatError } from './vector-codec.js';

describe('encodeVector and decodeVector', () => {
  it('store little-endian floats under subtype 0', () => {
    const binary = encodeVector(Float32Array.of(1, -2));
    expect(binary.sub_type).toBe(0);
    expect(Buffer.from(binary.value()).toString('hex')).toBe('0000803f000000c0');
  });

  it('bring back each number through BSON, as Binary and as bytes', () => {
    const vector = Float32Array.of(0.1, -0, 3e-39, 1.5, -7e20);
    const bytes = serialize({ vector: encodeVector(vector) });
    expect(decodeVector(deserialize(bytes)['vector'] as Binary, 5)).toEqual(vector);
    const promoted = deserialize(bytes, { promoteBuffers: true })['vector'] as Uint8Array;
    expect(promoted).toBeInstanceOf(Uint8Array);
    expect(decodeVector(promoted, 5)).toEqual(vector);
  });

  it('encode the part of a larger matrix that a view shows, as a copy', () => {
    const matrix = Float32Array.of(1, 2, 3, 4);
    const binary = encodeVector(matrix.subarray(2));
    matrix.fill(0);
    expect(decodeVector(binary, 2)).toEqual(Float32Array.of(3, 4));
  });

  it('decode bytes at any offset', () => {
    const bytes = Buffer.concat([Buffer.from([9]), encodeVector(Float32Array.of(5, 6)).value()]).subarray(1);
    expect(decodeVector(bytes, 2)).toEqual(Float32Array.of(5, 6));
  });

  it('refuse another number of dimensions, and what is not finite', () => {
    expect(() => decodeVector(encodeVector(Float32Array.of(1, 2)), 3)).toThrow(VectorFormatError);
    expect(() => decodeVector(encodeVector(Float32Array.of(1, NaN)), 2)).toThrow(VectorFormatError);
  });
});
