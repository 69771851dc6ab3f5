import { invalidIfMatch } from './session.errors.js';
import type { SessionState } from './session.types.js';

/** The condition that `If-Match` places on the stored session. */
export type Precondition = { kind: 'exists' } | { kind: 'versions'; versions: ReadonlySet<number> };

// An entity tag of RFC 9110. A weak one is well-formed, but If-Match uses strong comparison, so it never
// matches.
const entityTag = /^(W\/)?"([\x21\x23-\x7e\x80-\xff]*)"$/;

/** Splits the header into entity tags, ignoring commas within quotation marks. */
const listOf = (header: string): string[] => header.match(/(?:W\/)?"[^"]*"|[^,\s]+/g) ?? [];

/**
 * @param header value of If-Match, or undefined if it was not sent
 * @throws ProblemError 400 `invalid_if_match`
 */
export function parseIfMatch(header: string | undefined): Precondition | undefined {
  if (header === undefined) return undefined;
  if (header.trim() === '*') return { kind: 'exists' };
  const tags = listOf(header).map((text) => entityTag.exec(text));
  if (tags.length === 0) throw invalidIfMatch();
  const versions = new Set<number>();
  for (const tag of tags) {
    if (!tag) throw invalidIfMatch();
    const [, weak, opaque = ''] = tag;
    if (weak === undefined && /^[1-9]\d{0,14}$/.test(opaque)) versions.add(Number(opaque));
  }
  return { kind: 'versions', versions };
}

export const isMet = (precondition: Precondition, state: SessionState): boolean =>
  state.id !== null && (precondition.kind === 'exists' || precondition.versions.has(state.version));

/** The ETag of a stored session. */
export const entityTagOf = ({ version }: SessionState): string => `"${version}"`;
