import { Long } from 'bson';
import type { Namespace } from '../engine/types.js';
import { isDoc, isNumeric, toNumber, typeName, type Doc, type Value } from '../values/bson.js';
import { ServerError } from '../values/errors.js';

/** Converts a number of any BSON type. Returns undefined for anything else. */
const numberOf = (value: Value): number | undefined => (isNumeric(value) ? toNumber(value) : undefined);

export function toBigInt(value: Value): bigint | undefined {
  if (value instanceof Long) return value.toBigInt();
  if (typeof value === 'bigint') return value;
  const number = numberOf(value);
  return number !== undefined && Number.isInteger(number) ? BigInt(number) : undefined;
}

/**
 * Reads a command's fields. Throws MongoDB's errors for missing fields and wrong types. Null counts as
 * absent.
 */
export class Args {
  constructor(
    readonly command: string,
    readonly body: Doc,
  ) {}

  has(field: string): boolean {
    return this.body[field] !== undefined && this.body[field] !== null;
  }

  string(field: string): string | undefined {
    return this.read(field, (value) => (typeof value === 'string' ? value : undefined), 'string');
  }

  /** Accepts booleans, and numbers as MongoDB does (0 is false). */
  boolean(field: string): boolean | undefined {
    return this.read(
      field,
      (value) => {
        if (typeof value === 'boolean') return value;
        const number = numberOf(value);
        return number === undefined ? undefined : number !== 0;
      },
      'bool',
    );
  }

  /** Truncates a number to an integer, which must be at least `least`. */
  integer(field: string, least = 0): number | undefined {
    const number = this.read(field, numberOf, '[long, int, decimal, double]', 'types');
    if (number === undefined) return undefined;
    const integer = Math.trunc(number);
    if (Number.isNaN(integer) || integer < least) {
      throw new ServerError(
        51024,
        `BSON field '${field}' value must be >= ${least}, actual value '${String(number)}'`,
      );
    }
    return integer;
  }

  document(field: string): Doc | undefined {
    return this.read(field, (value) => (isDoc(value) ? value : undefined), 'object');
  }

  array(field: string): Value[] | undefined {
    return this.read(field, (value) => (Array.isArray(value) ? value : undefined), 'array');
  }

  documents(field: string): Doc[] | undefined {
    const values = this.array(field);
    return values?.map((value, index) => {
      if (!isDoc(value)) throw this.wrongType(`${field}.${index}`, value, 'object');
      return value;
    });
  }

  hint(field = 'hint'): string | Doc | undefined {
    const value = this.read(
      field,
      (given) => (typeof given === 'string' || isDoc(given) ? given : undefined),
      'object',
    );
    return isDoc(value) && Object.keys(value).length === 0 ? undefined : value;
  }

  required<T>(field: string, value: T | undefined): T {
    if (value === undefined) {
      throw new ServerError(40414, `BSON field '${this.command}.${field}' is missing but a required field`);
    }
    return value;
  }

  private read<T>(
    field: string,
    convert: (value: Value) => T | undefined,
    expected: string,
    plural = 'type',
  ): T | undefined {
    const value = this.body[field];
    if (value === undefined || value === null) return undefined;
    const converted = convert(value);
    if (converted === undefined) throw this.wrongType(field, value, expected, plural);
    return converted;
  }

  private wrongType(field: string, value: Value, expected: string, plural = 'type'): ServerError {
    const shown = plural === 'types' ? `types '${expected}'` : `type '${expected}'`;
    return new ServerError(
      'TypeMismatch',
      `BSON field '${this.command}.${field}' is the wrong type '${typeName(value)}', expected ${shown}`,
    );
  }
}

const forbiddenInDatabase = /[/\\. "$*<>:|?\0]/;
const maxNamespaceBytes = 255;

/** `db.collection` as text. */
export const nsText = (ns: Namespace): string => `${ns.db}.${ns.coll}`;

/** Throws InvalidNamespace (73) for an invalid database name. */
export function checkDatabaseName(db: string): void {
  if (db === '' || db.length > 63 || (forbiddenInDatabase.test(db) && db !== '$external')) {
    throw new ServerError('InvalidNamespace', `Invalid database name: '${db}'`);
  }
}

export function checkNamespace(ns: Namespace): Namespace {
  checkDatabaseName(ns.db);
  const { coll } = ns;
  const bad =
    coll === '' || coll.startsWith('.') || coll.endsWith('.') || coll.includes('\0') || coll.includes('$');
  if (bad || Buffer.byteLength(coll) + ns.db.length >= maxNamespaceBytes) {
    throw new ServerError('InvalidNamespace', `Invalid namespace specified '${nsText(ns)}'`);
  }
  return ns;
}

/** The collection named by a command's first field. */
export function namespaceOf(command: string, db: string, body: Doc): Namespace {
  const coll = body[command];
  if (typeof coll !== 'string') {
    throw new ServerError('InvalidNamespace', `collection name has invalid type ${typeName(coll)}`);
  }
  return checkNamespace({ db, coll });
}

/** Splits a full name such as `db.collection`. */
export function parseNamespace(full: string): Namespace {
  const dot = full.indexOf('.');
  if (dot <= 0) throw new ServerError('InvalidNamespace', `Invalid namespace specified '${full}'`);
  return checkNamespace({ db: full.slice(0, dot), coll: full.slice(dot + 1) });
}
