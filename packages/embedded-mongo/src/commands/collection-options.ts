import { wholeNumber } from '../engine/collection-traits.js';
import { int, isDoc, isNumeric, long, toNumber, typeName, type Doc, type Value } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import { formatDoc } from '../values/format.js';
import { Args } from './arguments.js';

const maxCappedBytes = 2 ** 50;

const invalid = (message: string): ServerError => new ServerError('InvalidOptions', message);

/** Reads the size of a capped collection in bytes, 1 to 2^50. */
export function cappedSize(args: Args, field: string): number | undefined {
  const given = numberOf(args, field);
  if (given === undefined) return undefined;
  if (given < 1) throw outOfRange(field, '>= 1', given);
  if (given > maxCappedBytes) throw outOfRange(field, `<= ${maxCappedBytes}`, given);
  return given;
}

/** Reads the maximum number of documents. Zero or less means no limit. */
export function cappedMax(args: Args, field: string): number | undefined {
  const given = numberOf(args, field);
  if (given === undefined) return undefined;
  if (given >= 2 ** 31) throw outOfRange(field, '< 2147483648', given);
  return given <= 0 ? 0x7fffffff : given;
}

function numberOf(args: Args, field: string): number | undefined {
  const value = args.body[field];
  if (value === undefined || value === null) return undefined;
  if (!isNumeric(value)) {
    throw new ServerError(
      'TypeMismatch',
      `BSON field '${args.command}.${field}' is the wrong type '${typeName(value)}', expected types '[double, int, long, decimal]'`,
    );
  }
  const number = Math.trunc(toNumber(value));
  return Number.isNaN(number) ? 0 : number;
}

const outOfRange = (field: string, bound: string, given: number): ServerError =>
  new ServerError(
    51024,
    `BSON field '${field}' value must be ${bound}, actual value '${Number.isFinite(given) ? BigInt(given) : given > 0 ? '9223372036854775807' : '-9223372036854775808'}'`,
  );

/** Reads an option that must be one of the allowed values. */
export function enumeration(args: Args, field: string, allowed: readonly string[]): string | undefined {
  const value = args.string(field);
  if (value === undefined || allowed.includes(value)) return value;
  throw new ServerError(
    'BadValue',
    `Enumeration value '${value}' for field '${args.command}.${field}' is not a valid value.`,
  );
}

export const validationLevels = ['off', 'strict', 'moderate'] as const;
export const validationActions = ['error', 'warn', 'errorAndLog'] as const;

/** Reads `capped`, `size` and `max` of a create command. */
export function cappedOptions(args: Args): Doc {
  const capped = args.boolean('capped') ?? false;
  const size = cappedSize(args, 'size');
  const max = cappedMax(args, 'max');
  if (capped && size === undefined && !args.has('clusteredIndex'))
    throw invalid("the 'size' field is required when 'capped' is true");
  if (!capped && (size !== undefined || max !== undefined)) {
    throw invalid("the 'capped' field needs to be true when either the 'size' or 'max' fields are present");
  }
  if (!capped) return {};
  return {
    capped: true,
    ...(size !== undefined && { size: wholeNumber(size) }),
    ...(max !== undefined && { max: wholeNumber(max) }),
  };
}

/** Reads `clusteredIndex` of a create command and applies defaults. */
export function clusteredOption(args: Args): Doc | undefined {
  const value = args.body['clusteredIndex'];
  if (value === undefined || value === null || value === false) return undefined;
  const given = args.document('clusteredIndex')!;
  checkFields('create.clusteredIndex', given, ['v', 'key', 'unique', 'name']);
  const inner = new Args('create.clusteredIndex', given);
  const key = inner.required('key', inner.document('key'));
  if (!inner.required('unique', inner.boolean('unique')))
    throw new ServerError(5979700, 'The clusteredIndex option requires unique: true to be specified');
  if (Object.keys(key).join() !== '_id' || !isNumeric(key['_id']) || toNumber(key['_id']) !== 1) {
    throw new ServerError(197, 'The clusteredIndex option is only supported for key: {_id: 1}', {
      codeName: 'InvalidIndexSpecificationOption',
    });
  }
  if (args.boolean('capped')) throw invalid("'capped' is not allowed with 'clusteredIndex'");
  return { v: int(2), key: { _id: int(1) }, name: inner.string('name') ?? '_id_', unique: true };
}

/** Reads the seconds after which documents of a clustered collection expire, or 'off' for never. */
export function expirySeconds(args: Args): Value {
  const value = args.body['expireAfterSeconds'];
  if (value === undefined || value === null) return undefined;
  if (value === 'off') return 'off';
  if (!isNumeric(value)) {
    throw invalid("expireAfterSeconds must be a number or the string 'off'");
  }
  const number = toNumber(value);
  if (!(number >= 0)) throw invalid("TTL index 'expireAfterSeconds' option cannot be less than 0");
  if (number > 0x7fffffff)
    throw invalid(
      `TTL index 'expireAfterSeconds' option must be within an acceptable range, try a different value than ${number}`,
    );
  return long(Math.trunc(number));
}

/** Validates an `idIndex`. Only its name can be chosen. */
export function checkIdIndex(args: Args): void {
  const spec = args.document('idIndex');
  if (!spec) return;
  for (const other of ['viewOn', 'autoIndexId']) {
    if (args.has(other)) throw invalid(`'idIndex' is not allowed with '${other}': ${formatDoc(spec)}`);
  }
  const { key } = spec;
  if (!isDoc(key))
    throw new ServerError(
      'FailedToParse',
      "The 'key' field is a required property of an index specification",
    );
  if (Object.keys(key).join() !== '_id' || !isNumeric(key['_id']) || toNumber(key['_id']) !== 1) {
    throw new ServerError(
      'BadValue',
      `The field 'key' for an _id index must be {_id: 1}, but got ${formatDoc(key)}`,
    );
  }
}

/** Whether change streams may return pre- and post-images of documents. */
export function preAndPostImages(args: Args): { enabled: boolean } | undefined {
  const option = args.document('changeStreamPreAndPostImages');
  if (!option) return undefined;
  const where = `${args.command}.changeStreamPreAndPostImages`;
  checkFields(where, option, ['enabled']);
  const inner = new Args(where, option);
  return { enabled: inner.required('enabled', inner.boolean('enabled')) };
}

export function checkFields(where: string, doc: Doc, allowed: readonly string[]): void {
  const unknown = Object.keys(doc).find((field) => !allowed.includes(field));
  if (unknown !== undefined)
    throw new ServerError(40415, `BSON field '${where}.${unknown}' is an unknown field.`);
}
