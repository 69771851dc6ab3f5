import { decode } from '../values/bson.js';
import type { Doc } from '../values/bson.js';

/** A document's bytes, decoded at most once and only on demand. */
export class StoredDocument {
  private decoded: Doc | undefined;

  constructor(
    readonly bytes: Uint8Array,
    decoded?: Doc,
  ) {
    this.decoded = decoded;
  }

  get doc(): Doc {
    return (this.decoded ??= decode(this.bytes));
  }
}
