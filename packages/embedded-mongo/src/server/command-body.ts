import { decode, fieldNames, rawArray, readField, type Doc } from '../values/bson.js';
import { newDoc } from '../values/types.js';
import type { WireRequest } from './framing.js';

/** A request's command. Documents that are only stored remain encoded. */
export interface CommandBody {
  name: string;
  db: string;
  body: Doc;
  raw: ReadonlyMap<string, Uint8Array[]>;
}

/**
 * Decodes the command. Documents of an insert remain raw bytes, wherever they are in the request. Throws
 * InvalidBSON for a malformed body.
 */
export function readCommand(request: WireRequest): CommandBody {
  const { sequences } = request;
  let body: Doc;
  let raw: ReadonlyMap<string, Uint8Array[]> = sequences;
  if (isInsert(request.body) && !sequences.has('documents')) {
    const documents = rawArray(request.body, 'documents');
    body = newDoc();
    for (const name of fieldNames(request.body)) {
      if (name !== 'documents' || !documents) body[name] = readField(request.body, name);
    }
    if (documents) raw = new Map(sequences).set('documents', documents);
  } else {
    body = decode(request.body);
  }
  const first = Object.keys(body)[0] ?? '';
  if (first === '$query' || first === 'query') body = unwrapped(body);
  const db = body['$db'];
  return {
    name: Object.keys(body)[0] ?? '',
    db: typeof db === 'string' ? db : (request.legacyDb ?? ''),
    body,
    raw,
  };
}

/** Legacy clients wrap a handshake command in `$query`. */
function unwrapped(body: Doc): Doc {
  const inner = body['$query'] ?? body['query'];
  return typeof inner === 'object' && inner !== null && !Array.isArray(inner) ? (inner as Doc) : body;
}

/** Whether the first field is a string named `insert`. */
const isInsert = (body: Uint8Array): boolean =>
  body[4] === 0x02 && body.length > 12 && Buffer.from(body.subarray(5, 12)).toString('latin1') === 'insert\0';
