import type { Db } from 'mongodb';

/**
 * The errors that `validate` reports for the documents, index entries and counters of all collections in a
 * database.
 */
export async function validateAll(db: Db): Promise<string[]> {
  const damage: string[] = [];
  for (const { name } of await db.listCollections().toArray()) {
    const { errors } = (await db.command({ validate: name })) as unknown as { errors: string[] };
    damage.push(...errors.map((error) => `${name}: ${error}`));
  }
  return damage;
}
