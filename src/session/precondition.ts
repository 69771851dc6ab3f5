import { invalidEntityTags } from './session.errors.js';
import type { SessionState } from './session.types.js';

/** What a header names: `*` for any stored session, or the contents of its entity tags. */
type Tags = '*' | ReadonlySet<string>;

/** The conditions that `If-Match` and `If-None-Match` place on the stored session. */
export interface Precondition {
  readonly match?: Tags | undefined;
  readonly noneMatch?: Tags | undefined;
}

/** The headers of RFC 9110 that make a request conditional. */
export interface ConditionalHeaders {
  readonly 'if-match'?: string | undefined;
  readonly 'if-none-match'?: string | undefined;
}

const entityTag = /^(W\/)?"([\x21\x23-\x7e\x80-\xff]*)"$/;

/** Splits the header into entity tags, ignoring commas within quotation marks. */
const listOf = (header: string): string[] => header.match(/(?:W\/)?"[^"]*"|[^,\s]+/g) ?? [];

/** @param isWeak whether weak tags count: RFC 9110 compares If-None-Match weakly, If-Match strongly */
function tagsIn(name: string, header: string, isWeak: boolean): Tags {
  if (header.trim() === '*') return '*';
  const tags = listOf(header).map((text) => entityTag.exec(text));
  if (tags.length === 0) throw invalidEntityTags(name);
  const contents = new Set<string>();
  for (const tag of tags) {
    if (!tag) throw invalidEntityTags(name);
    const [, weak, opaque = ''] = tag;
    if (isWeak || weak === undefined) contents.add(opaque);
  }
  return contents;
}

/**
 * Returns undefined if the request is unconditional.
 * @throws ProblemError 400 `invalid_if_match` or `invalid_if_none_match`
 */
export function preconditionOf(headers: ConditionalHeaders): Precondition | undefined {
  const { 'if-match': match, 'if-none-match': noneMatch } = headers;
  if (match === undefined && noneMatch === undefined) return undefined;
  return {
    ...(match !== undefined && { match: tagsIn('If-Match', match, false) }),
    ...(noneMatch !== undefined && { noneMatch: tagsIn('If-None-Match', noneMatch, true) }),
  };
}

/** Clients may also name a version alone, as they find it in the body. */
const includes = (tags: Tags, { id, version }: SessionState): boolean =>
  id !== null && (tags === '*' || tags.has(String(version)) || tags.has(`${version}-${id}`));

/** Returns the header whose condition the state does not meet. */
export function unmetBy(
  { match, noneMatch }: Precondition,
  state: SessionState,
): 'If-Match' | 'If-None-Match' | undefined {
  if (match !== undefined && !includes(match, state)) return 'If-Match';
  if (noneMatch !== undefined && includes(noneMatch, state)) return 'If-None-Match';
  return undefined;
}

/**
 * The ETag of a stored session. Contains its id, because versions begin at 1 again when a session is created in
 * place of one that was deleted or has expired.
 */
export const entityTagOf = ({ id, version }: SessionState): string => `"${version}-${id ?? ''}"`;
