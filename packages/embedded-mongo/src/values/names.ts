/**
 * Names of fields as keys of decoded documents. JavaScript moves keys that look like array indexes to the
 * front of an object, whatever the order in which they were set; BSON keeps every field where it is. So such
 * a name has a null byte in front of it while the document is decoded: no BSON name can hold one. `decode`
 * puts it there, `encode` takes it away.
 */
const MARK = '\0';

const isDigit = (code: number): boolean => code >= 48 && code <= 57;

/** True for the decimal digits that JavaScript may take for an array index. */
const looksLikeIndex = (text: string, from: number): boolean => {
  const digits = text.length - from;
  if (digits < 1 || digits > 10 || (digits > 1 && text.charCodeAt(from) === 48)) return false;
  for (let i = from; i < text.length; i++) if (!isDigit(text.charCodeAt(i))) return false;
  return true;
};

/** The key of a document's field; what is a key already stays as it is. */
export const fieldKey = (name: string): string =>
  isDigit(name.charCodeAt(0)) && looksLikeIndex(name, 0) ? MARK + name : name;

/** The name of a field as clients see it, from its key. */
export const fieldName = (key: string): string =>
  key.charCodeAt(0) === 0 && looksLikeIndex(key, 1) ? key.slice(1) : key;

/** The keys that a dotted path goes through. */
export const pathKeys = (path: string): string[] => path.split('.').map(fieldKey);

/** A dotted path or a message without the marks of the keys in it. */
export const withoutMarks = (text: string): string =>
  text.includes(MARK) ? text.replace(/\0(?=\d{1,10}(?!\d))/g, '') : text;
