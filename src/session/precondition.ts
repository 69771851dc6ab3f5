import { invalidEntityTags } from './session.errors.js';
import type { SessionState } from './session.types.js';

/** The versions that a header names: `*` for any stored session, or those of its entity tags. */
type Versions = '*' | ReadonlySet<number>;

/** The conditions that `If-Match` and `If-None-Match` place on the stored session. */
export interface Precondition {
  readonly match?: Versions | undefined;
  readonly noneMatch?: Versions | undefined;
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
function versionsIn(name: string, header: string, isWeak: boolean): Versions {
  if (header.trim() === '*') return '*';
  const tags = listOf(header).map((text) => entityTag.exec(text));
  if (tags.length === 0) throw invalidEntityTags(name);
  const versions = new Set<number>();
  for (const tag of tags) {
    if (!tag) throw invalidEntityTags(name);
    const [, weak, opaque = ''] = tag;
    if ((isWeak || weak === undefined) && /^[1-9]\d{0,14}$/.test(opaque)) versions.add(Number(opaque));
  }
  return versions;
}

/**
 * Returns undefined if the request is unconditional.
 * @throws ProblemError 400 `invalid_if_match` or `invalid_if_none_match`
 */
export function preconditionOf(headers: ConditionalHeaders): Precondition | undefined {
  const { 'if-match': match, 'if-none-match': noneMatch } = headers;
  if (match === undefined && noneMatch === undefined) return undefined;
  return {
    ...(match !== undefined && { match: versionsIn('If-Match', match, false) }),
    ...(noneMatch !== undefined && { noneMatch: versionsIn('If-None-Match', noneMatch, true) }),
  };
}

const includes = (versions: Versions, { id, version }: SessionState): boolean =>
  id !== null && (versions === '*' || versions.has(version));

/** Returns the header whose condition the state does not meet. */
export function unmetBy(
  { match, noneMatch }: Precondition,
  state: SessionState,
): 'If-Match' | 'If-None-Match' | undefined {
  if (match !== undefined && !includes(match, state)) return 'If-Match';
  if (noneMatch !== undefined && includes(noneMatch, state)) return 'If-None-Match';
  return undefined;
}

/** The ETag of a stored session. */
export const entityTagOf = ({ version }: SessionState): string => `"${version}"`;
