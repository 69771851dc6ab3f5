import { Binary, Double } from 'bson';
import { isNumeric, typeName } from '../values/bson.js';
import type { NumericValue, Value } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import { isIntegral, truncate } from '../values/numbers.js';
import type { BitsOp, FieldNode } from './ast.js';

const bitsOfBinary = (binary: Binary): bigint => {
  let bits = 0n;
  for (let i = binary.position - 1; i >= 0; i--) bits = (bits << 8n) | BigInt(binary.buffer[i] ?? 0);
  return bits;
};

const bad = (message: string): ServerError => new ServerError('BadValue', message);

const positionBit = (position: Value, op: string): bigint => {
  if (!isNumeric(position) || !isIntegral(position)) {
    throw bad(`Failed to parse bit position. Expected an integer for $${op}, found ${typeName(position)}`);
  }
  const bit = truncate(position) ?? -1n;
  if (bit < 0n) throw bad(`Failed to parse bit position. Expected a non-negative number in: $${op}`);
  if (bit > 0x7fffffffn)
    throw bad(`Failed to parse bit position. Cannot represent as a 32-bit integer: $${op}`);
  return bit;
};

const maskOfNumber = (operand: NumericValue, op: string): bigint => {
  const whole = isIntegral(operand) ? truncate(operand) : undefined;
  if (whole === undefined) throw bad(`Expected an integer: $${op}: ${String(operand)}`);
  if (whole < 0n) throw bad(`Expected a non-negative number in: $${op}: ${String(operand)}`);
  return whole;
};

/**
 * Parses the operand of a bitwise operator: a mask as a number or binary data (bit 0 first), or a list of bit
 * positions.
 */
export const parseBits = (path: string, op: BitsOp, operand: Value): FieldNode => {
  const node = (mask: bigint): FieldNode => ({ kind: 'field', path, op, mask });
  if (Array.isArray(operand)) {
    return node(operand.reduce<bigint>((mask, position) => mask | (1n << positionBit(position, op)), 0n));
  }
  if (operand instanceof Binary) return node(bitsOfBinary(operand));
  if (isNumeric(operand)) return node(maskOfNumber(operand, op));
  throw bad(`$${op} takes an Array, a number, or a BinData but received: ${typeName(operand)}`);
};

/** The bits of a stored value, sign-extended to any length. Undefined if the type has no bits. */
const bitsOf = (value: Value): bigint | undefined => {
  if (value instanceof Binary) return bitsOfBinary(value);
  if (!isNumeric(value) || !isIntegral(value)) return undefined;
  return value instanceof Double && Math.abs(value.value) >= 2 ** 63 ? undefined : truncate(value);
};

export const matchBits = (op: BitsOp, mask: bigint, value: Value): boolean => {
  const bits = bitsOf(value);
  if (bits === undefined) return false;
  const common = bits & mask;
  switch (op) {
    case 'bitsAllSet':
      return common === mask;
    case 'bitsAllClear':
      return common === 0n;
    case 'bitsAnySet':
      return common !== 0n;
    case 'bitsAnyClear':
      return common !== mask;
  }
};
