import { ObjectId } from 'bson';
import { detailsOf } from '../query/validation-details.js';
import { BsonType, readField, typeName, typeNumber, withIdFirst } from '../values/bson.js';
import type { Doc, Value } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import type { Collection } from './catalog.js';
import type { StoredDocument } from './stored-document.js';

export const MAX_DOCUMENT_BYTES = 16 * 1024 * 1024;

/**
 * Returns a document as it is stored, with `_id` as its first field. Throws if the document may not be
 * stored.
 */
export const storable = (bytes: Uint8Array): Uint8Array => {
  const stored = withIdFirst(bytes, () => new ObjectId());
  if (stored.length > MAX_DOCUMENT_BYTES) {
    throw new ServerError(
      'BadValue',
      `object to insert too large. size in bytes: ${stored.length}, max size: ${MAX_DOCUMENT_BYTES}`,
    );
  }
  // ObjectId, the common case, is recognized by its type byte.
  if (stored[4] !== BsonType.objectId) checkId(readField(stored, '_id'));
  return stored;
};

export const checkId = (id: Value): void => {
  const type = typeNumber(id);
  if (type === BsonType.array || type === BsonType.regex || type === BsonType.undefined) {
    const name = typeName(id);
    throw new ServerError('InvalidIdField', `The '_id' value cannot be of type ${name}`);
  }
  if (type !== BsonType.object) return;
  const dollar = Object.keys(id as Doc).find((field) => field.startsWith('$'));
  if (dollar !== undefined) {
    throw new ServerError(
      'DollarPrefixedFieldName',
      `_id fields may not contain '$'-prefixed fields: ${dollar} is not valid for storage.`,
    );
  }
};

/**
 * Applies the collection's validator. With `validationLevel: 'moderate'`, updates to documents that were
 * already invalid are accepted. With `validationAction: 'warn'`, nothing is rejected.
 */
export const validate = (
  collection: Collection,
  after: StoredDocument,
  before: StoredDocument | undefined,
  bypass: boolean | undefined,
): void => {
  const { validator, options } = collection;
  if (!validator || bypass || options.validationLevel === 'off' || options.validationAction === 'warn')
    return;
  if (validator.matches(after.doc)) return;
  if (options.validationLevel === 'moderate' && before && !validator.matches(before.doc)) return;
  throw new ServerError('DocumentValidationFailure', 'Document failed validation', {
    details: {
      errInfo: {
        failingDocumentId: after.doc._id,
        details: detailsOf(options.validator as Doc, after.doc),
      },
    },
  });
};
