/** Entry point for all BSON functions: types, constructors, decoding, encoding and reading of raw bytes. */
export {
  BsonType,
  DbPointer,
  double,
  int,
  isDoc,
  isNumeric,
  isNumericType,
  long,
  newDoc,
  toNumber,
  typeName,
  typeNumber,
} from './types.js';
export type { BsonTypeName, Doc, NumericValue, Value } from './types.js';
export { fieldKey, fieldName, pathKeys, withoutMarks } from './names.js';
export { decode, decodeRange } from './decode.js';
export { encode, RawDoc } from './encode.js';
export type { Encodable, EncodableDoc } from './encode.js';
export { docSize, fieldNames, idDocument, rawArray, rawField, readField, withIdFirst } from './raw.js';
export { formatDoc, formatElement, formatValue } from './format.js';
