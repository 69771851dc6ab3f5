import type { Db } from 'mongodb';

/** What `validate` finds wrong in the collections of a database: documents, index entries, counters. */
export async function validateAll(db: Db): Promise<string[]> {
  const damage: string[] = [];
  for (const { name } of await db.listCollections().toArray()) {
    const { errors } = (await db.command({ validate: name })) as unknown as { errors: string[] };
    damage.push(...errors.map((error) => `${name}: ${error}`));
  }
  return damage;
}
