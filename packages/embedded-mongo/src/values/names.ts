/**
 * Field names as keys of decoded documents. JavaScript moves keys that look like array indexes to the front
 * of an object, whereas BSON keeps the order of all fields. Such names are therefore prefixed with a null
 * byte in decoded documents, which no BSON name can contain. `decode` adds the prefix and `encode` removes
 * it.
 */
const MARK = '\0';

const isDigit = (code: number): boolean => code >= 48 && code <= 57;

/** Whether JavaScript could treat these decimal digits as an array index. */
const looksLikeIndex = (text: string, from: number): boolean => {
  const digits = text.length - from;
  if (digits < 1 || digits > 10 || (digits > 1 && text.charCodeAt(from) === 48)) return false;
  for (let i = from; i < text.length; i++) if (!isDigit(text.charCodeAt(i))) return false;
  return true;
};

/** Converts a field name to a document key. Keys are returned unchanged. */
export const fieldKey = (name: string): string =>
  isDigit(name.charCodeAt(0)) && looksLikeIndex(name, 0) ? MARK + name : name;

/** Converts a document key to the field name that clients see. */
export const fieldName = (key: string): string =>
  key.charCodeAt(0) === 0 && looksLikeIndex(key, 1) ? key.slice(1) : key;

/** The document keys along a dotted path. */
export const pathKeys = (path: string): string[] => path.split('.').map(fieldKey);

/** Removes the marks of document keys from a dotted path or a message. */
export const withoutMarks = (text: string): string =>
  text.includes(MARK) ? text.replace(/\0(?=\d{1,10}(?!\d))/g, '') : text;
