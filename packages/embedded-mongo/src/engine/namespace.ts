/** A namespace: database and collection name. */
export interface Namespace {
  db: string;
  coll: string;
}
