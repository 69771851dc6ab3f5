import type { Dialogue } from '../../../src/cli/index.js';

/** Returns the dialogue ids of the best hits of a query. */
export type Find = (query: string) => Promise<readonly string[]>;

/** The query made of the first turns of the user. */
export const openingOf = ({ turns }: Dialogue): string =>
  turns
    .filter(({ role }) => role === 'user')
    .slice(0, 2)
    .map(({ content }) => content)
    .join('\n');

export interface Recall {
  queries: number;
  /**
   * Share of the queries, 0 to 1, for which the dialogue they were taken from is the first hit, or among the
   * hits.
   */
  first: number;
  found: number;
}

/**
 * For each dialogue, in file order: the zero-based rank of the dialogue among the hits of its own query, or
 * undefined if it is not among them.
 */
export async function ranksOf(
  dialogues: readonly Dialogue[],
  find: Find,
  onQuery: () => void,
): Promise<(number | undefined)[]> {
  const ranks: (number | undefined)[] = [];
  for (const dialogue of dialogues) {
    const rank = (await find(openingOf(dialogue))).indexOf(dialogue.id);
    ranks.push(rank < 0 ? undefined : rank);
    onQuery();
  }
  return ranks;
}

export function recallOf(ranks: readonly (number | undefined)[]): Recall {
  const share = (count: number): number => (ranks.length === 0 ? 0 : count / ranks.length);
  return {
    queries: ranks.length,
    first: share(ranks.filter((rank) => rank === 0).length),
    found: share(ranks.filter((rank) => rank !== undefined).length),
  };
}
