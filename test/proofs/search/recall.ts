import type { Dialogue } from '../../../src/cli/index.js';

/** The best hits of a query, by the ids of their dialogues. */
export type Find = (query: string) => Promise<readonly string[]>;

/** What the user says first. */
export const openingOf = ({ turns }: Dialogue): string =>
  turns
    .filter(({ role }) => role === 'user')
    .slice(0, 2)
    .map(({ content }) => content)
    .join('\n');

export interface Recall {
  queries: number;
  /** Shares of the queries, 0 to 1, whose own dialogue is the first hit, or among the hits. */
  first: number;
  found: number;
}

/** Over all dialogues, by place in the file: the place of its own dialogue among the hits, from 0; undefined where it is not. */
export async function placesOf(
  dialogues: readonly Dialogue[],
  find: Find,
  onQuery: () => void,
): Promise<(number | undefined)[]> {
  const places: (number | undefined)[] = [];
  for (const dialogue of dialogues) {
    const place = (await find(openingOf(dialogue))).indexOf(dialogue.id);
    places.push(place < 0 ? undefined : place);
    onQuery();
  }
  return places;
}

export function recallOf(places: readonly (number | undefined)[]): Recall {
  const share = (count: number): number => (places.length === 0 ? 0 : count / places.length);
  return {
    queries: places.length,
    first: share(places.filter((place) => place === 0).length),
    found: share(places.filter((place) => place !== undefined).length),
  };
}
