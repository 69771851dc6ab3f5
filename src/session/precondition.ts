import { invalidIfMatch } from './session.errors.js';
import type { SessionState } from './session.types.js';

/** What `If-Match` asks of the stored session. */
export type Precondition = { kind: 'exists' } | { kind: 'versions'; versions: ReadonlySet<number> };

// One entity tag of RFC 9110. A weak one is well-formed, but If-Match compares strongly, so it never matches.
const entityTag = /^(W\/)?"([\x21\x23-\x7e\x80-\xff]*)"$/;

/** Entity tags are not split inside of their quotation marks: ours hold no comma, and a tag that does matches no version. */
const listOf = (header: string): string[] => header.match(/(?:W\/)?"[^"]*"|[^,\s]+/g) ?? [];

/**
 * @param header value of If-Match; undefined when it was not sent
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

export const holds = (precondition: Precondition, state: SessionState): boolean =>
  state.id !== null && (precondition.kind === 'exists' || precondition.versions.has(state.version));

/** The ETag of a stored session. */
export const entityTagOf = ({ version }: SessionState): string => `"${version}"`;
